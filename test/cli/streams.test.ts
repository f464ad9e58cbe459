/** Standard streams whose reader or terminal goes away, as shells make them: nothing hangs, and nothing is left. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { Gates } from '../support/build-gates.js';
import { buildYml, project, type Project } from '../support/build-project.js';
import { anEngine } from '../support/engines.js';
import { NOTHING } from '../support/images.js';

const engine = anEngine();
const PROGRAM = fileURLToPath(new URL('../../bin/habitus.cjs', import.meta.url));

/** A project whose only RUN waits at the gate `run`, then says a lot. */
async function gated(): Promise<{ readonly given: Project; readonly gates: Gates }> {
  const gates = await Gates.start();
  const wait = gates.wait('run');
  const given = await project(engine, {
    'build.yml': buildYml({ a: [] }),
    Dockerfile: `FROM busybox:latest\nLABELLED\nRUN ${wait}; for i in $(seq 3000); do echo line $i; done\n`,
  });
  return { given, gates };
}

interface Shell {
  readonly child: ChildProcess;
  /** All that came through the shell's own streams, once it has ended. */
  readonly said: Promise<string>;
}

/** @param script in which `habitus` builds the project, and `$status` is a file for its exit status */
function shell(script: string, { directory }: Project): Shell {
  const child = spawn('/bin/sh', ['-c', script.replaceAll('habitus', '"$node" "$program" -d "$project"')], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: directory,
      XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'],
      DOCKER_HOST: engine.host,
      node: process.execPath,
      program: PROGRAM,
      project: directory,
      status: statusFile(directory),
    },
  });
  atEnd(() => {
    child.kill('SIGKILL');
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (more: string) => (text += more));
  }
  return { child, said: once(child, 'close').then(() => text) };
}

const statusFile = (directory: string): string => join(directory, 'status');
const statusOf = ({ directory }: Project): Promise<string> => readFile(statusFile(directory), 'utf8');
const namesOf = async ({ images, id }: Project): Promise<readonly string[]> =>
  Object.keys(await images.names(`habitus.invalid/${id}/`));

describe('a reader that goes away', () => {
  test.concurrent.each([
    ['of progress', '{ habitus; echo $? >"$status"; } 2>&1 | head -1'],
    ['of both', '{ habitus --json; echo $? >"$status"; } 2>&1 | head -1'],
    ['of events', '{ habitus --progress json; echo $? >"$status"; } 2>&1 | head -1'],
    ['of the result', '{ habitus --json; echo $? >"$status"; } | true'],
  ])('%s does not stop the build', async (_, script) => {
    const { given, gates } = await gated();
    const { said } = shell(script, given);
    await gates.at('run').reached;
    gates.at('run').open();
    await said;
    expect(await statusOf(given)).toBe('0\n');
    expect(await namesOf(given)).toEqual([given.name('a')]);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});

test.concurrent.each(['habitus --json >&-', 'habitus 2>&-', 'habitus --json >&- 2>&- <&-'])(
  '%s builds all the same',
  async (script) => {
    const { given, gates } = await gated();
    const { child, said } = shell(script, given);
    gates.at('run').open();
    await said;
    expect(child.exitCode).toBe(0);
    expect(await namesOf(given)).toEqual([given.name('a')]);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  },
);

test.concurrent('a result that finds no room is an error, after all is done and cleaned up', async () => {
  const { given, gates } = await gated();
  const { child, said } = shell('habitus --json >/dev/full', given);
  gates.at('run').open();
  const text = await said;
  expect(child.exitCode).toBe(1);
  expect(text).toMatch(
    /✓ built 1 image in .*\nerror: standard output cannot be written: ENOSPC: no space left on device, write\n {2}→ The result is lost, but what was done stays done: send the output elsewhere next time\.\n$/,
  );
  expect(await namesOf(given)).toEqual([given.name('a')]);
  expect(await given.images.traces(given.id)).toEqual(NOTHING);
});

test.concurrent('progress that finds no room does not stop the build', async () => {
  const { given, gates } = await gated();
  const { child, said } = shell('habitus --json 2>/dev/full', given);
  gates.at('run').open();
  expect(JSON.parse(await said)).toMatchObject({ status: 'succeeded' });
  expect(child.exitCode).toBe(0);
});

describe('a terminal that is lost', () => {
  test.concurrent('stops the build in order, with status 129', async () => {
    const { given, gates } = await gated();
    // As shells do it: the kernel tells the shell, and the shell tells its job.
    const inside = 'habitus & trap "kill -HUP $!" HUP; wait $!; wait $!; echo $? >"$status"';
    const { child } = shell(`exec script -qec '${inside}' /dev/null`, given);
    await gates.at('run').reached;
    child.kill('SIGKILL');
    await vi.waitFor(async () => {
      expect(await statusOf(given)).toBe('129\n');
    }, 20_000);
    expect(await namesOf(given)).toEqual([]);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test.concurrent('but is not the one that controls it does not stop the build', async () => {
    const { given, gates } = await gated();
    const inside = `trap "" HUP; setsid -w "$node" "$program" -d "$project"; echo $? >"$status"`;
    const { child } = shell(`exec script -qec '${inside}' /dev/null`, given);
    await gates.at('run').reached;
    child.kill('SIGKILL');
    await once(child, 'close');
    gates.at('run').open();
    await vi.waitFor(async () => {
      expect(await statusOf(given)).toBe('0\n');
    }, 20_000);
    expect(await namesOf(given)).toEqual([given.name('a')]);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});
