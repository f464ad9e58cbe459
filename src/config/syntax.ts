/** YAML text to the nodes of one document; the parser's complaints become diagnostics in our voice. */
import { Composer, type CST, type Document, type ParsedNode, type YAMLError } from 'yaml';
import type { Diagnostic } from './diagnostic.js';
import type { Range, SourceText } from './source.js';
import { readTokens, walk } from './tokens.js';

export type Parsed = { readonly root: ParsedNode | null } | { readonly problems: readonly Diagnostic[] };

/** One slip often makes the parser complain about all that follows. */
const MAX_SYNTAX_ERRORS = 10;

export function parseYaml(source: SourceText): Parsed {
  const read = readTokens(source);
  if ('problem' in read) return { problems: [read.problem] };
  const { tokens } = read;
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
  if (errors.length > 0) return { problems: onePerLine(errors, tokens, source) };
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

function onePerLine(
  errors: readonly YAMLError[],
  tokens: readonly CST.Token[],
  source: SourceText,
): readonly Diagnostic[] {
  const openings = tokens.flatMap(unclosed);
  const found = new Map<number, Diagnostic>();
  for (const error of errors) {
    if (found.size === MAX_SYNTAX_ERRORS) break;
    const { message, hint, opensWith } = inOurVoice(error);
    // The parser complains where it gave up, often at the end of the file; the culprit is what was opened.
    const at = openings.findLast((offset) => offset <= error.pos[0] && source.text[offset] === opensWith);
    const range: Range = at === undefined ? [error.pos[0], error.pos[1]] : [at, at + 1];
    const diagnostic = source.error(message, range, hint);
    const line = diagnostic.place?.line ?? 0;
    if (!found.has(line)) found.set(line, diagnostic);
  }
  return [...found.values()];
}

/** Offsets of the brackets and quotes that are never closed. */
function unclosed(root: CST.Token): readonly number[] {
  const offsets: number[] = [];
  for (const { token } of walk(root)) {
    if (token.type === 'flow-collection') {
      const isClosed = token.end.some(({ type }) => type === 'flow-seq-end' || type === 'flow-map-end');
      if (!isClosed) offsets.push(token.offset);
    } else if (token.type === 'double-quoted-scalar' || token.type === 'single-quoted-scalar') {
      if (token.source.length < 2 || !token.source.endsWith(token.source.charAt(0)))
        offsets.push(token.offset);
    }
  }
  return offsets.sort((a, b) => a - b);
}

interface Explanation {
  readonly message: string;
  readonly hint?: string;
  /** The character whose counterpart is missing. */
  readonly opensWith?: string;
}

function inOurVoice(error: YAMLError): Explanation {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab may not indent a line', hint: 'use spaces' };
    case 'BAD_INDENT':
      if (error.message.includes('end with a')) return missing(error.message);
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
    return {
      message: `a text in ${quote === '"' ? 'double' : 'single'} quotes is never closed`,
      opensWith: quote,
    };
  }
  if (text.includes('end with a }')) return { message: 'a "{" is never closed', opensWith: '{' };
  if (text.includes('end with a ]')) return { message: 'a "[" is never closed', opensWith: '[' };
  if (text.includes('Missing ,')) return { message: 'a "," is missing here' };
  if (/space/i.test(text)) return { message: 'a space is missing here' };
  return {
    message: 'a ":" is missing after the key',
    hint: 'write "key: value", with a space after the ":"',
  };
}
