/** The folder in which a page's commands run: the examples, the files that the page shows, and `habitus` on PATH. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import ts from 'typescript';
import { parse } from 'yaml';
import { atEnd } from './build-cleanup.js';
import { ROOT, type Block, type Page } from './docs.js';
import type { TestEngine } from './engines.js';
import { Images } from './images.js';

export interface Shown {
  readonly code: number | null;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

export interface DocsFolder {
  /** One command, as a user types it. */
  readonly run: (command: string) => Promise<Shown>;
  /** Compile one program against the package's types. Gives the compiler's complaints. */
  readonly check: (program: Block) => Promise<readonly string[]>;
  /** Run one program. */
  readonly runProgram: (program: Block) => Promise<Shown>;
}

export async function docsFolder(page: Page, engine: TestEngine): Promise<DocsFolder> {
  const base = await mkdtemp(join(tmpdir(), 'habitus-docs-'));
  atEnd(() => rm(base, { recursive: true, force: true }));
  const [work, home, bin] = [join(base, 'work'), join(base, 'home'), join(base, 'bin')];
  await Promise.all(
    [work, home, bin, join(work, 'node_modules')].map((path) => mkdir(path, { recursive: true })),
  );
  await cp(join(ROOT, 'examples'), join(work, 'examples'), { recursive: true });
  await symlink(join(ROOT, 'bin/habitus.cjs'), join(bin, 'habitus'));
  // As after `npm install`.
  await symlink(ROOT, join(work, 'node_modules/habitus'));
  for (const { info, text } of page.blocks) {
    const file = info.get('file');
    if (file === undefined) continue;
    await mkdir(dirname(join(work, file)), { recursive: true });
    await writeFile(join(work, file), text);
  }
  await removeImagesAtEnd(engine, page);
  const env = {
    PATH: [bin, dirname(process.execPath), process.env['PATH']].join(delimiter),
    HOME: home,
    DOCKER_HOST: engine.host,
  };
  const run = (argv: readonly [string, ...string[]]): Promise<Shown> => runIn(work, env, argv);
  const write = async (program: Block): Promise<string> => {
    const path = join(work, `line-${program.line}.mts`);
    await writeFile(path, program.text);
    return path;
  };
  return {
    run: (command) => run(['sh', '-c', command]),
    check: async (program) => complaints(await write(program)),
    async runProgram(program) {
      const path = join(work, `line-${program.line}.mjs`);
      const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
      await writeFile(path, ts.transpileModule(program.text, { compilerOptions: options }).outputText);
      return run([process.execPath, path]);
    },
  };
}

async function runIn(
  cwd: string,
  env: NodeJS.ProcessEnv,
  [file, ...args]: readonly [string, ...string[]],
): Promise<Shown> {
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

function complaints(file: string): readonly string[] {
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

/** The names that the page's commands give go away again, with and without `--uid`. */
async function removeImagesAtEnd(engine: TestEngine, page: Page): Promise<void> {
  const images = new Images(engine);
  const before = await images.names('');
  const texts = page.blocks.filter(({ language }) => language === 'yaml').map(({ text }) => text);
  const commands = page.blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
  for (const [folder] of commands.join('\n').matchAll(/examples\/[\w-]+/g)) {
    texts.push(await readFile(join(ROOT, folder, 'build.yml'), 'utf8'));
  }
  const given = texts.flatMap(namesIn);
  atEnd(async () => {
    for (const name of Object.keys(await images.names(''))) {
      const repository = name.replace(/:[^:/]*$/, '');
      const ours = given.some((each) => repository === each || repository.startsWith(`${each}-`));
      if (ours && !(name in before)) await images.remove(name);
    }
  });
}

interface Steps {
  readonly build?: { readonly steps?: Readonly<Record<string, { readonly name?: string }>> };
}

/** Image names without tags. */
function namesIn(buildFile: string): readonly string[] {
  const { build } = (parse(buildFile) ?? {}) as Steps;
  return Object.values(build?.steps ?? {}).flatMap(({ name }) =>
    name === undefined ? [] : name.replace(/:.*/, ''),
  );
}
