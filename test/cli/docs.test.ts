/** README and docs say what is true: their build files load, their commands and programs run, their links lead somewhere. */
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ConfigError } from '../../src/config/diagnostic.js';
import { loadPlan } from '../../src/config/load.js';
import { planOptions } from '../../src/config/options.js';
import { atEnd } from '../support/build-cleanup.js';
import { docsFolder, type DocsFolder } from '../support/docs-folder.js';
import { commandsOf, pages, parsePage, readPage, ROOT, type Block, type Page } from '../support/docs.js';
import { ELSEWHERE } from '../support/docs-elsewhere.js';
import { anEngine } from '../support/engines.js';

/** The kinds of blocks that the tests below look at; another kind would be looked at by none. */
const LANGUAGES = ['dockerfile', 'sh', 'text', 'ts', 'yaml'];

const PAGES = await pages();

describe.each(PAGES)('$path', (page) => {
  let shared: Promise<DocsFolder> | undefined;
  const folder = (): Promise<DocsFolder> => (shared ??= docsFolder(page, anEngine()));
  /** What the page's commands have shown so far. */
  let shown = '';

  test('shows nothing that no test looks at', () => {
    const unknown = page.blocks.filter(({ language }) => !LANGUAGES.includes(language));
    expect(unknown).toEqual([]);
    const unused = page.blocks.filter(({ language, info }) => language === 'dockerfile' && !info.has('file'));
    expect(unused).toEqual([]);
  });

  for (const block of page.blocks.filter(({ language }) => language !== 'dockerfile')) {
    test(`line ${block.line}: ${aboutBlock(block)}`, async () => {
      switch (block.language) {
        case 'yaml':
          if (block.info.has('status')) await expect(loads(block)).rejects.toThrow(ConfigError);
          else await expect(loads(block)).resolves.toBeGreaterThan(0);
          return;
        case 'ts':
          expect(await (await folder()).check(block)).toEqual([]);
          expect(await (await folder()).runProgram(block)).toMatchObject({ code: 0 });
          return;
        case 'text':
          expect(masked(shown).split('\n')).toEqual(expect.arrayContaining(linesOf(block)));
          return;
        default:
          shown += await runs(block, await folder());
      }
    });
  }

  test('every link leads to a file, a folder or a heading', async () => {
    expect(page.links).not.toEqual([]);
    expect(await brokenLinks(page)).toEqual([]);
  });
});

test('commands that run elsewhere are run there', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  for (const { script, proof } of ELSEWHERE) {
    const [file, text] = proof;
    expect(await readFile(join(ROOT, file), 'utf8')).toContain(text);
    if (script !== undefined) expect(scripts).toHaveProperty(script);
  }
});

test('the picture of a run has no path or address of the machine it was made on', async () => {
  const picture = await readFile(join(ROOT, 'docs/run.svg'), 'utf8');
  expect(picture).toMatch(/built 6 images in [\d.]+ (?:s|min)/);
  expect(picture).not.toMatch(/\/(root|home|tmp|work)\/|\d+\.\d+\.\d+\.\d+/);
});

test('pages are read as they are written', () => {
  const text =
    '# A `b` c!\n[x](y.md#z)\n```yaml file=a\nbuild:\n  [no](link)\n```\n```sh\na \\\n  b\n# c\n\nd\n```\n';
  const { blocks, links, anchors } = parsePage(text);
  expect(anchors).toEqual(['a-b-c']);
  expect(links).toEqual([{ target: 'y.md#z', line: 2 }]);
  expect(blocks.map(({ language, line }) => [language, line])).toEqual([
    ['yaml', 3],
    ['sh', 7],
  ]);
  expect(blocks[0]?.info.get('file')).toBe('a');
  expect(blocks.slice(1).map(commandsOf)).toEqual([['a b', 'd']]);
  expect(() => parsePage('```sh\nhabitus\n')).toThrow('the block of line 1 is never closed');
});

function aboutBlock({ language, text }: Block): string {
  const [first = ''] = text.split('\n');
  switch (language) {
    case 'yaml':
      return 'the build file loads';
    case 'ts':
      return 'the program compiles and runs';
    case 'text':
      return 'a command has shown this';
    default:
      return `${first} runs`;
  }
}

/** Load a build file with a Dockerfile for each step. Gives the number of steps. */
async function loads({ text }: Block): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'habitus-docs-'));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'build.yml'), text);
  const { build } = parse(text) as {
    readonly build: { readonly steps: Readonly<Record<string, { context?: string; dockerfile?: string }>> };
  };
  for (const { context = '.', dockerfile = 'Dockerfile' } of Object.values(build.steps)) {
    const path = join(directory, context, dockerfile);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'FROM scratch\n');
  }
  const { plan, warnings } = await loadPlan(planOptions({ workDirectory: directory }, {}));
  expect(warnings).toEqual([]);
  return plan.steps.length;
}

/** Run each command; all must end with the block's `status`, by default 0. Gives their output. */
async function runs(block: Block, folder: DocsFolder): Promise<string> {
  let all = '';
  for (const command of commandsOf(block)) {
    if (ELSEWHERE.some((elsewhere) => elsewhere.command.test(command))) continue;
    const { code, output } = await folder.run(command);
    expect({ command, code }, output).toEqual({ command, code: Number(block.info.get('status') ?? 0) });
    all += output;
  }
  return all;
}

/** What differs from run to run, and the columns that depend on it. */
function masked(text: string): string {
  return text
    .replaceAll(/\b\d+(\.\d+)?\s?(ms|s)\b/g, '<time>')
    .replaceAll(/\b\d+(\.\d+)? [kMG]?B searched/g, '<size> searched')
    .replaceAll(/session [0-9a-z]{12}/g, 'session <id>')
    .replaceAll(/\b[0-9a-f]{12}\b/g, '<image>')
    .replaceAll(/\S*habitus-docs-\w+\/work\//g, '')
    .replaceAll(/ +/g, ' ');
}

const linesOf = ({ text }: Block): string[] => masked(text).trimEnd().split('\n');

async function brokenLinks(page: Page): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const { target, line } of page.links) {
    if (/^https?:/.test(target)) continue;
    const [path = '', heading] = target.split('#');
    const file = path === '' ? page.path : join(dirname(page.path), path);
    const exists = await access(join(ROOT, file)).then(
      () => true,
      () => false,
    );
    const found = exists && (heading === undefined || (await readPage(file)).anchors.includes(heading));
    if (!found) broken.push(`line ${line}: ${target}`);
  }
  return broken;
}
