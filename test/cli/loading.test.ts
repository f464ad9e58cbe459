/** What the program loads: next to nothing for `--version`, and nothing that builds where nothing is built. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { habitus } from '../support/build-program.js';
import { buildYml, project } from '../support/build-project.js';
import { engines, type TestEngine } from '../support/engines.js';

interface Loaded {
  readonly stderr: string;
  /** Of the program's own files: names without hash and ending. */
  readonly parts: readonly string[];
  /** Files of packages that are no part of it. */
  readonly packages: readonly string[];
}

/** Runs the program, which writes down each module it loads: https://nodejs.org/api/cli.html#node_v8_coveragedir */
async function load(engine: TestEngine, folder: string, args: readonly string[]): Promise<Loaded> {
  const coverage = join(folder, 'coverage');
  await mkdir(coverage);
  const env = { NODE_V8_COVERAGE: coverage, HOME: folder, XDG_CACHE_HOME: folder };
  const { code, stderr } = await habitus(engine, args, { env });
  expect(code, stderr).toBe(0);
  const [file = ''] = await readdir(coverage);
  const { result } = JSON.parse(await readFile(join(coverage, file), 'utf8')) as {
    result: readonly { readonly url: string }[];
  };
  await rm(coverage, { recursive: true });
  const urls = result.map(({ url }) => url);
  return {
    stderr,
    parts: urls
      .filter((url) => url.includes('/dist/program/'))
      .map((url) => basename(url).replace(/(?:-[\w-]{8})?\.cjs$/, '')),
    packages: urls.filter((url) => url.includes('/node_modules/')),
  };
}

/** What makes images, and what cleans them. */
const BUILDS = ['build-image', 'buildkit', 'buildkit-session', 'reduce-image'];

describe.each(engines())('on $name', (engine) => {
  test('a build loads what builds only where something is built', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'habitus-loading-'));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    const given = await project(engine, {
      'build.yml': buildYml({ app: [] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo made > /made\n',
    });
    const builder = engine.builders.includes('buildkit') ? 'buildkit' : 'classic';
    const args = ['-d', given.directory, '--builder', builder];
    const first = await load(engine, folder, args);
    expect(first.parts).toEqual(expect.arrayContaining(['build-image', 'load']));
    expect(first.parts.includes('buildkit')).toBe(builder === 'buildkit');
    expect(first.packages, 'nothing that only keys of ssh need').toEqual([]);
    if (engine.name !== 'given') {
      // Engines with the containerd store are asked for credentials even of the bases that they have.
      const inSession = engine.name === 'e28c' && builder === 'buildkit';
      expect(first.parts.includes('buildkit-session'), 'what speaks gRPC').toBe(inSession);
    }
    const second = await load(engine, folder, args);
    expect(second.stderr).toContain('nothing to build, 1 step unchanged');
    expect(second.parts).toContain('plan');
    expect(second.parts.filter((part) => BUILDS.includes(part))).toEqual([]);
    expect(second.parts, 'what reads a plan that is not remembered').not.toContain('load');
    expect(second.packages).toEqual([]);
  });

  test('the log file is written in the first run and in those that find the program compiled', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'habitus-loading-'));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    const given = await project(engine, {
      'build.yml': buildYml({ app: [] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    });
    const log = join(folder, 'log');
    const args = ['-d', given.directory, '--log-file', log];
    for (let run = 1; run <= 3; run += 1) {
      const { code, stderr } = await habitus(engine, args, { env: { XDG_CACHE_HOME: folder } });
      expect(code, stderr).toBe(0);
      expect(stderr).not.toMatch(/warning/i);
      expect((await readFile(log, 'utf8')).match(/"msg":"build-finished"/g)).toHaveLength(run);
    }
  });

  test('--version and --help load nothing but what answers', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'habitus-loading-'));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    for (const word of ['version', 'help']) {
      const { parts, packages } = await load(engine, folder, [`--${word}`]);
      expect(parts).toEqual(expect.arrayContaining(['main', word]));
      expect(parts.filter((part) => ['plan', ...BUILDS].includes(part))).toEqual([]);
      expect(packages).toEqual([]);
    }
  });
});
