/** Runs the real program, in an environment of its own, and tells everything it left. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd } from './build-cleanup.js';
import type { TestEngine } from './engines.js';

const PROGRAM = fileURLToPath(new URL('../../bin/habitus.cjs', import.meta.url));
const WATCH_MEMORY = new URL('build-memory.js', import.meta.url).href;

export interface Ended {
  /** As a shell tells it: 128 plus the number for a signal that nobody handled is `null` here. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Names that the program left in its folder for temporary files. */
  readonly leftInTmp: readonly string[];
  /** The highest resident memory of the process, in MB. */
  readonly peakMegabytes: number;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when standard error holds this text. */
  said(text: string): Promise<void>;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Run it to its end. */
export async function habitus(
  engine: TestEngine,
  args: readonly string[],
  options?: RunOptions,
): Promise<Ended> {
  return (await start(engine, args, options)).ended;
}

/** Start it, in an empty HOME, with a TMPDIR of its own. */
export async function start(
  engine: TestEngine,
  args: readonly string[],
  { env = {}, cwd }: RunOptions = {},
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'habitus-run-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const [home, tmp, memory] = [join(folder, 'home'), join(folder, 'tmp'), join(folder, 'memory')];
  await Promise.all([mkdir(home), mkdir(tmp)]);
  const child = spawn(process.execPath, ['--import', WATCH_MEMORY, PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      TMPDIR: tmp,
      DOCKER_HOST: engine.host,
      HABITUS_TEST_MEMORY: memory,
      ...env,
    },
    ...(cwd !== undefined && { cwd }),
  });
  atEnd(() => {
    child.kill('SIGKILL');
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
  }
  const ended = async (): Promise<Ended> => {
    const [code] = (await once(child, 'close')) as [number | null];
    const kilobytes = Number(await readFile(memory, 'utf8').catch(() => 'NaN'));
    return { code, ...output, leftInTmp: await readdir(tmp), peakMegabytes: kilobytes / 1024 };
  };
  const end = ended();
  return {
    child,
    ended: end,
    async said(text) {
      while (!output.stderr.includes(text)) {
        const more = await Promise.race([once(child.stderr, 'data').then(() => true), end.then(() => false)]);
        if (!more && !output.stderr.includes(text)) {
          throw new Error(`it ended and never said ${JSON.stringify(text)}:\n${output.stderr}`);
        }
      }
    },
  };
}
