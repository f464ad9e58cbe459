/** How secrets are read: once, exactly, and all that is missing is told together. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UsageError } from '../../src/core/errors.js';
import type { Plan, PlannedStep, SecretSpec } from '../../src/core/plan.js';
import { digestOf } from '../../src/secrets/digest.js';
import { readSecrets, type SourceOptions } from '../../src/secrets/sources.js';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'habitus-test-'));
});
afterEach(() => rm(directory, { recursive: true }));

const key = Buffer.alloc(32, 7);

function planOf(
  steps: Readonly<Record<string, readonly SecretSpec[]>>,
): Pick<Plan, 'steps' | 'workDirectory'> {
  return {
    workDirectory: directory,
    // Of a step only these are read.
    steps: Object.entries(steps).map(([label, secrets]) => ({ label, secrets }) as unknown as PlannedStep),
  };
}

function read(
  steps: Readonly<Record<string, readonly SecretSpec[]>>,
  options: Partial<SourceOptions> = {},
): ReturnType<typeof readSecrets> {
  const signal = new AbortController().signal;
  return readSecrets(planOf(steps), { env: process.env, allowCommands: true, key, signal, ...options });
}

async function failure(promise: Promise<unknown>): Promise<{ message: string; hint: string | undefined }> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UsageError)) throw new Error(`not a UsageError: ${String(error)}`);
  return { message: error.message, hint: error.hint };
}

describe('a secret', () => {
  it('of a file is its bytes, whatever they are', async () => {
    const path = join(directory, 'key');
    const value = Buffer.from('00ff0a0d80fe0a', 'hex');
    await writeFile(path, value);
    const { byStep, distinct } = await read({ app: [{ name: 'k', type: 'file', value: path }] });
    expect(byStep.get('app')).toEqual([{ name: 'k', type: 'file', value, digest: digestOf(key, value) }]);
    expect(distinct).toEqual(byStep.get('app'));
  });

  it('of a variable is its value in UTF-8', async () => {
    const { byStep } = await read(
      { app: [{ name: 't', type: 'env', value: 'TOKEN' }] },
      { env: { TOKEN: 'ü\n' } },
    );
    expect(byStep.get('app')?.[0]?.value).toEqual(Buffer.from('c3bc0a', 'hex'));
  });

  it.each<readonly [string, string]>([
    ["printf 'a\\n'", 'a'],
    ["printf 'a\\n\\n'", 'a\n'],
    ["printf 'a\\r\\n'", 'a'],
    ["printf ' a '", ' a '],
    ['echo "$WHO"; echo no >&2', 'me'],
    ['echo before; sleep 3 &', 'before'],
  ])('of the command %s is what it prints', async (command, expected) => {
    const { byStep } = await read(
      { app: [{ name: 'c', type: 'command', value: command }] },
      { env: { ...process.env, WHO: 'me' } },
    );
    expect(byStep.get('app')?.[0]?.value.toString()).toBe(expected);
  });

  it('of a command may have 1 MiB', async () => {
    const { byStep } = await read({
      app: [{ name: 'c', type: 'command', value: 'head -c 1048576 /dev/zero; echo' }],
    });
    expect(byStep.get('app')?.[0]?.value).toHaveLength(1048576);
  });

  it('is read once for all steps that name its source', async () => {
    const command = `echo x >> ${directory}/count; wc -l < ${directory}/count`;
    const { byStep, distinct } = await read({
      one: [{ name: 'a', type: 'command', value: command }],
      none: [],
      two: [{ name: 'b', type: 'command', value: command }],
    });
    expect(await readFile(join(directory, 'count'), 'utf8')).toBe('x\n');
    expect([...byStep.keys()]).toEqual(['one', 'two']);
    expect(byStep.get('two')?.[0]).toEqual({ ...byStep.get('one')?.[0], name: 'b' });
    expect(distinct).toHaveLength(1);
  });
});

describe('a secret that cannot be read', () => {
  const one = (spec: Omit<SecretSpec, 'name'>, options?: Partial<SourceOptions>) =>
    failure(read({ app: [{ name: 's', ...spec }] }, options));

  it('of a variable is told with its step', async () => {
    expect(await one({ type: 'env', value: 'NONE' }, { env: {} })).toEqual({
      message: 'secret "s" of step "app" cannot be read: the variable NONE is not set',
      hint: 'Set NONE in the environment of habitus.',
    });
    expect((await one({ type: 'env', value: 'NONE' }, { env: { NONE: '' } })).message).toBe(
      'secret "s" of step "app" cannot be read: the variable NONE is empty',
    );
  });

  it('of a file is told with its path', async () => {
    const path = join(directory, 'x');
    expect(await one({ type: 'file', value: path })).toEqual({
      message: `secret "s" of step "app" cannot be read: the file ${path} does not exist`,
      hint: 'Put the file there, or correct the path.',
    });
    expect((await one({ type: 'file', value: directory })).message).toContain(
      `the file ${directory} is a folder`,
    );
    execFileSync('mkfifo', [path]);
    expect((await one({ type: 'file', value: path })).message).toContain('is no ordinary file');
    await writeFile(join(directory, 'big'), Buffer.alloc(1024 * 1024 + 1));
    expect((await one({ type: 'file', value: join(directory, 'big') })).message).toContain(
      'has more than 1 MiB',
    );
    await writeFile(join(directory, 'empty'), '');
    expect((await one({ type: 'file', value: join(directory, 'empty') })).message).toContain('is empty');
  });

  it('of a command tells its exit code, and nothing that it said', async () => {
    const told = await one({ type: 'command', value: 'echo S3CR3T; echo S3CR3T >&2; exit 3' });
    expect(told).toEqual({
      message: 'secret "s" of step "app" cannot be read: its command failed with exit code 3',
      hint: 'Run the command by hand to see why: what it says is not shown here, for it may hold secrets.',
    });
    expect((await one({ type: 'command', value: 'kill -9 $$' })).message).toContain('exit code 137');
    expect((await one({ type: 'command', value: 'true' })).message).toContain(
      'what its command printed is empty',
    );
    expect((await one({ type: 'command', value: 'cat /dev/zero' })).message).toContain(
      'its command printed more than 1 MiB',
    );
  });

  it('of a command is not run unless that is allowed', async () => {
    const told = await one({ type: 'command', value: `touch ${directory}/ran` }, { allowCommands: false });
    expect(told.message).toBe('secret "s" of step "app" cannot be read: its command is not allowed to run');
    await expect(readFile(join(directory, 'ran'))).rejects.toThrow('ENOENT');
  });

  it('is told together with all others', async () => {
    const told = await failure(
      read(
        {
          a: [
            { name: 'x', type: 'env', value: 'X' },
            { name: 'y', type: 'env', value: 'Y' },
          ],
          b: [{ name: 'x', type: 'env', value: 'X' }],
        },
        { env: { Y: 'set' } },
      ),
    );
    expect(told).toEqual({
      message:
        '2 secrets cannot be read: secret "x" of step "a": the variable X is not set; ' +
        'secret "x" of step "b": the variable X is not set',
      hint: 'Set X in the environment of habitus.',
    });
  });

  it('because the build was cancelled stops its command and all that it started', async () => {
    const controller = new AbortController();
    const path = join(directory, 'pid');
    execFileSync('mkfifo', [path]);
    const reading = read(
      {
        app: [
          {
            name: 's',
            type: 'command',
            value: `sh -c 'echo $$ > ${path}; sleep 60'`,
          },
        ],
      },
      { signal: controller.signal },
    );
    const settled = expect(reading).rejects.toThrow('enough');
    // A pipe: opens when the command writes to it.
    const child = (await readFile(path, 'utf8')).trim();
    controller.abort(new Error('enough'));
    await settled;
    // The kernel may have the end of a process still before it.
    await vi.waitFor(async () => {
      const stat = await readFile(`/proc/${child}/stat`, 'latin1').catch(() => 'x) X');
      expect(stat).toMatch(/\) [ZX]/);
    });
  });
});
