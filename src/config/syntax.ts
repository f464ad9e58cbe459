/** YAML text to the nodes of one document; the parser's complaints become diagnostics in our voice. */
import { Composer, Parser, type CST, type Document, type ParsedNode, type YAMLError } from 'yaml';
import type { Diagnostic } from './diagnostic.js';
import type { Range, SourceText } from './source.js';

export type Parsed = { readonly root: ParsedNode | null } | { readonly problems: readonly Diagnostic[] };

/** build.yml needs 7. The composer recurses: without a limit a few kB of `[` would end the process. */
export const MAX_DEPTH = 64;
/** One slip often makes the parser complain about all that follows. */
const MAX_SYNTAX_ERRORS = 10;

export function parseYaml(source: SourceText): Parsed {
  const tokens: CST.Token[] = [];
  for (const token of new Parser().parse(source.text)) {
    const deep = firstTooDeep(token);
    if (deep !== undefined) {
      const message = `more than ${String(MAX_DEPTH)} levels of nesting`;
      return { problems: [source.error(message, [deep, deep + 1], 'a build file needs 7 at most')] };
    }
    tokens.push(token);
  }
  // failsafe: every scalar keeps its text; types are the schema's business. Keys are checked for uniqueness by
  // the tree, after _env() is replaced and in linear time.
  const composer = new Composer({
    schema: 'failsafe',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const documents: Document.Parsed[] = [...composer.compose(tokens, true, source.text.length)];
  const errors = documents.flatMap((document) => document.errors);
  if (errors.length > 0) return { problems: onePerLine(errors, source) };
  const [document, second] = documents;
  if (second !== undefined) {
    const [start] = second.range;
    return {
      problems: [
        source.error(
          'a second document begins here',
          [start, start + 3],
          'keep one document, without a line "---" between',
        ),
      ],
    };
  }
  return { root: document?.contents ?? null };
}

/** Offset of the first collection below {@link MAX_DEPTH}; iterative, for the same reason that there is a limit. */
function firstTooDeep(token: CST.Token): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [{ token, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { depth } = next;
    if (depth > MAX_DEPTH) return next.token.offset;
    if (next.token.type === 'document') {
      if (next.token.value !== undefined) open.push({ token: next.token.value, depth });
    } else if ('items' in next.token) {
      for (const item of next.token.items) {
        if (item.key !== undefined && item.key !== null) open.push({ token: item.key, depth: depth + 1 });
        if (item.value !== undefined) open.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

function onePerLine(errors: readonly YAMLError[], source: SourceText): readonly Diagnostic[] {
  const found = new Map<number, Diagnostic>();
  for (const error of errors) {
    if (found.size === MAX_SYNTAX_ERRORS) break;
    const [start, end] = error.pos;
    const range: Range = [start, Math.max(start + 1, end)];
    const { message, hint } = inOurVoice(error);
    const diagnostic = source.error(message, range, hint);
    const line = diagnostic.place?.line ?? 0;
    if (!found.has(line)) found.set(line, diagnostic);
  }
  return [...found.values()];
}

interface Explanation {
  readonly message: string;
  readonly hint?: string;
}

function inOurVoice(error: YAMLError): Explanation {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab may not indent a line', hint: 'use spaces' };
    case 'BAD_INDENT':
      return {
        message: 'the indentation fits no line above',
        hint: 'begin the keys of one mapping in the same column',
      };
    case 'MISSING_CHAR':
      return missing(error.message);
    case 'UNEXPECTED_TOKEN':
      return { message: 'this may not stand here', hint: 'put texts with special characters in quotes' };
    case 'BAD_SCALAR_START':
      return { message: 'a text may not begin with this character', hint: 'put the text in quotes' };
    case 'BAD_DQ_ESCAPE':
      return {
        message: 'unknown escape in double quotes',
        hint: 'write "\\\\" for a backslash, or use single quotes',
      };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        message: 'a second "key: value" on one line',
        hint: 'put it on its own line, or put the value in quotes',
      };
    case 'BLOCK_IN_FLOW':
      return { message: 'a block may not stand inside brackets or braces' };
    case 'MULTILINE_IMPLICIT_KEY':
      return { message: 'a key may not go over several lines', hint: 'is a ":" missing after the key?' };
    case 'KEY_OVER_1024_CHARS':
      return { message: 'a key of more than 1024 characters' };
    case 'BAD_ALIAS':
      return {
        message: 'not a valid alias or anchor name',
        hint: 'put a text that begins with "*" or "&" in quotes',
      };
    case 'ALIAS_PROPS':
    case 'BAD_PROP_ORDER':
    case 'MULTIPLE_ANCHORS':
    case 'MULTIPLE_TAGS':
      return { message: 'anchors or tags may not stand here together' };
    case 'BAD_DIRECTIVE':
      return { message: 'not a valid YAML directive', hint: 'put a text that begins with "%" in quotes' };
    case 'MULTIPLE_DOCS':
      return { message: 'a second document begins here' };
    case 'DUPLICATE_KEY':
    case 'NON_STRING_KEY':
    case 'BAD_COLLECTION_TYPE':
    case 'TAG_RESOLVE_FAILED':
    case 'RESOURCE_EXHAUSTION':
    case 'IMPOSSIBLE':
      return { message: 'not valid YAML' };
  }
}

/** The parser has one code for all that is missing; only its text tells what. */
function missing(text: string): Explanation {
  const quote = /closing (["'])/.exec(text)?.[1];
  if (quote !== undefined) {
    return { message: `a text in ${quote === '"' ? 'double' : 'single'} quotes is never closed` };
  }
  if (/\}|flow map/i.test(text)) return { message: 'a "}" or "," is missing' };
  if (/\]|flow seq/i.test(text)) return { message: 'a "]" or "," is missing' };
  if (/space/i.test(text)) return { message: 'a space is missing here' };
  return {
    message: 'a ":" is missing after the key',
    hint: 'write "key: value", with a space after the ":"',
  };
}
