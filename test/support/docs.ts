/** Reads README and docs as their tests need them: fenced blocks, links and headings, each with its line. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Block {
  /** The first word after the fence; empty where there is none. */
  readonly language: string;
  /** `key=value` words after the language. */
  readonly info: ReadonlyMap<string, string>;
  readonly text: string;
  /** Of the fence, from 1. */
  readonly line: number;
}

export interface Link {
  /** As written: a path, an address or `#heading`. */
  readonly target: string;
  readonly line: number;
}

export interface Page {
  /** Relative to the project's folder. */
  readonly path: string;
  readonly blocks: readonly Block[];
  readonly links: readonly Link[];
  /** What `#…` can name on this page. */
  readonly anchors: readonly string[];
}

/** README.md and every page of docs and examples. */
export async function pages(): Promise<readonly Page[]> {
  const paths = ['README.md'];
  for (const folder of ['docs', 'examples']) {
    const names = await readdir(join(ROOT, folder));
    paths.push(...names.filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`));
  }
  return Promise.all(paths.map(readPage));
}

export async function readPage(path: string): Promise<Page> {
  return { path, ...parsePage(await readFile(join(ROOT, path), 'utf8')) };
}

/** @throws Error for a fence that is never closed */
export function parsePage(markdown: string): Omit<Page, 'path'> {
  const blocks: Block[] = [];
  const links: Link[] = [];
  const anchors: string[] = [];
  let open:
    { readonly words: readonly string[]; readonly line: number; readonly lines: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const line = index + 1;
    if (open !== undefined) {
      if (text === '```') {
        blocks.push(closed(open));
        open = undefined;
      } else open.lines.push(text);
    } else if (text.startsWith('```')) {
      open = { words: text.slice(3).split(/\s+/), line, lines: [] };
    } else {
      const heading = /^#+ (.*)$/.exec(text)?.[1];
      if (heading !== undefined) anchors.push(anchorOf(heading));
      links.push(...linksIn(text).map((target) => ({ target, line })));
    }
  }
  if (open !== undefined) throw new Error(`the block of line ${open.line} is never closed`);
  return { blocks, links, anchors };
}

function closed({
  words: [language = '', ...info],
  line,
  lines,
}: {
  readonly words: readonly string[];
  readonly line: number;
  readonly lines: readonly string[];
}): Block {
  const pairs = info.map((word): [string, string] => {
    const at = word.indexOf('=');
    return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
  });
  return { language, info: new Map(pairs), text: `${lines.join('\n')}\n`, line };
}

/** Targets of `[text](target)`, `![text](target)` and `src="target"`. */
function linksIn(text: string): readonly string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g)].map(
    ([, inline, attribute]) => inline ?? attribute ?? '',
  );
}

/** GitHub's rule: lower case, punctuation left out, spaces to hyphens. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

/** The commands of a `sh` block: one a line, joined at backslashes, without comments. */
export function commandsOf(block: Block): readonly string[] {
  return block.text
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
