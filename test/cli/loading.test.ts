/** What the program loads: nothing for `--version`, and no gRPC where nothing is built. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { habitus } from '../support/build-program.js';
import { buildYml, project } from '../support/build-project.js';
import { engines } from '../support/engines.js';

const LIST = new URL('../support/loaded-modules.js', import.meta.url).href;

describe.each(engines())('on $name', (engine) => {
  test('a build loads gRPC only where something is built', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'habitus-loading-'));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    const given = await project(engine, {
      'build.yml': buildYml({ app: [] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo made > /made\n',
    });
    const run = async (
      ...args: readonly string[]
    ): Promise<{ stderr: string; packages: readonly string[] }> => {
      const file = join(folder, 'loaded');
      const env = { NODE_OPTIONS: `--import ${LIST}`, LOADED_MODULES: file, XDG_CACHE_HOME: folder };
      const { code, stderr } = await habitus(engine, ['-d', given.directory, ...args], { env });
      expect(code, stderr).toBe(0);
      const paths = (await readFile(file, 'utf8')).split('\n');
      const found = paths.flatMap((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
      return { stderr, packages: [...new Set(found)] };
    };
    const heavy = (packages: readonly string[]): readonly string[] =>
      packages.filter((name) =>
        /^(?:@grpc\/.*|protobufjs|@protobufjs\/.*|dockerode|tar-fs|pino|tmp-promise)$/.test(name),
      );

    const builder = engine.builders.includes('buildkit') ? 'buildkit' : 'classic';
    const first = await run('--builder', builder);
    expect(heavy(first.packages).some((name) => name.startsWith('@grpc/'))).toBe(builder === 'buildkit');
    const second = await run('--builder', builder);
    expect(second.stderr).toContain('nothing to build, 1 step unchanged');
    expect(second.packages).toContain('docker-modem');
    expect(heavy(second.packages)).toEqual([]);
  });

  test('--version and --help load no package', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'habitus-loading-'));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    for (const flag of ['--version', '--help']) {
      const file = join(folder, flag);
      const env = { NODE_OPTIONS: `--import ${LIST}`, LOADED_MODULES: file };
      expect((await habitus(engine, [flag], { env })).code).toBe(0);
      expect(await readFile(file, 'utf8')).toBe('');
    }
  });
});
