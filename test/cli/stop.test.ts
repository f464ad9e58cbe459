/** A first signal, and time that is up, in the phases where nothing is built: the program ends at once, and leaves nothing. */
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { habitus, start, type Running } from '../support/build-program.js';
import { buildYml, project, type Project } from '../support/build-project.js';
import { anEngine } from '../support/engines.js';
import { NOTHING } from '../support/images.js';

const engine = anEngine();
const DOCKERFILE = 'FROM busybox:latest\nLABELLED\nRUN echo built > /built\n';

/** A second is promised; the rest is for a machine that is busy with other tests. What is waited for takes far longer. */
const PROMPT_MS = 5000;

/** A server that takes connections and never says a word. */
async function silence(): Promise<{ readonly port: number; readonly called: Promise<unknown> }> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    atEnd(() => {
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => {
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, called: once(server, 'connection') };
}

/** A shell command that writes its process ID and goes on for ever, even where it is asked to end. */
const stubborn = (pidFile: string): string => `trap "" TERM; echo $$ > ${pidFile}; exec sleep 600`;

/** Resolves with the process ID, once it is written. */
const pidIn = (file: string): Promise<number> =>
  vi.waitFor(async () => {
    const pid = Number(await readFile(file, 'utf8'));
    expect(pid).toBeGreaterThan(0);
    return pid;
  }, 20_000);

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function expectPromptEnd({ child, ended }: Running, given: Project): Promise<void> {
  const at = performance.now();
  child.kill('SIGINT');
  const { code, stderr, leftInTmp } = await ended;
  expect(code, stderr).toBe(130);
  expect(performance.now() - at).toBeLessThan(PROMPT_MS);
  expect(leftInTmp).toEqual([]);
  expect(await given.images.traces(given.id)).toEqual(NOTHING);
}

describe('Ctrl-C', () => {
  test.concurrent('while a command prints a secret ends that command', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({
        a: [`secrets: { key: { command: ${JSON.stringify(stubborn('pid'))} } }`],
      }).replace('2016-03-14', '2026-11-22'),
      Dockerfile: DOCKERFILE,
    });
    const running = await start(engine, ['-d', given.directory, '--allow-secret-commands']);
    const pid = await pidIn(join(given.directory, 'pid'));
    await expectPromptEnd(running, given);
    expect(isAlive(pid)).toBe(false);
  });

  test.concurrent.each([
    ['tcp', []],
    ['tcp', ['--use-tls']],
    ['ssh', []],
  ] as const)('while an engine that is silent is connected by %s %j', async (scheme, flags) => {
    const given = await project(engine, { 'build.yml': buildYml({ a: [] }), Dockerfile: DOCKERFILE });
    const { port, called } = await silence();
    const host = scheme === 'ssh' ? `ssh://me@127.0.0.1:${port}` : `tcp://127.0.0.1:${port}`;
    const running = await start(engine, ['-d', given.directory, '--host', host, ...flags]);
    await called;
    await expectPromptEnd(running, given);
  });

  test.concurrent('while a credential helper is asked does not wait for it', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ a: [] }),
      Dockerfile: DOCKERFILE,
    });
    const config = join(given.directory, '.docker');
    await mkdir(config);
    await writeFile(join(config, 'config.json'), JSON.stringify({ credsStore: 'stubborn' }));
    const helper = join(config, 'docker-credential-stubborn');
    await writeFile(helper, `#!/bin/sh\n${stubborn(join(config, 'pid'))}\n`);
    await chmod(helper, 0o755);
    const running = await start(engine, ['-d', given.directory, '--builder', 'classic'], {
      env: { DOCKER_CONFIG: config, PATH: `${config}:${process.env['PATH'] ?? ''}` },
    });
    const pid = await pidIn(join(config, 'pid'));
    await expectPromptEnd(running, given);
    expect(isAlive(pid)).toBe(false);
  });

  test.concurrent.each(['classic', 'buildkit'])('while %s waits for a registry', async (builder) => {
    const { port, called } = await silence();
    const given = await project(engine, {
      'build.yml': buildYml({ a: [] }),
      Dockerfile: `FROM 127.0.0.1:${port}/nothing:1\nLABELLED\n`,
    });
    const args = ['-d', given.directory, '--builder', builder, '--no-fingerprint'];
    const running = await start(engine, args);
    await called;
    await expectPromptEnd(running, given);
  });
});

describe('--timeout', () => {
  test.concurrent('covers an engine that is silent', async () => {
    const given = await project(engine, { 'build.yml': buildYml({ a: [] }), Dockerfile: DOCKERFILE });
    const { port } = await silence();
    const args = [
      '-d',
      given.directory,
      '--host',
      `tcp://127.0.0.1:${port}`,
      '--timeout',
      '1500ms',
      '--json',
    ];
    expect(await habitus(engine, args)).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'error: the build took longer than 1s500ms\n' +
        '  → Find out what it waits for, or give it more time with "--timeout".\n',
    });
  });

  test.concurrent('ends in a result that says so, in words, as JSON and as an event', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ a: [] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN sleep 600\n',
    });
    const args = ['-d', given.directory, '--timeout', '3s', '--json'];
    const reason = 'the build took longer than 3s';
    const [plain, events] = await Promise.all([
      habitus(engine, [...args, '--progress', 'plain']),
      habitus(engine, [...args, '--progress', 'json']),
    ]);
    for (const { code, stdout } of [plain, events]) {
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', reason, steps: [{ reason }] });
    }
    expect(plain.stderr).toMatch(
      /✗ build failed after .*: 1 cancelled .*\n {2}It was stopped: the build took longer than 3s\.\n {2}No image got its name/,
    );
    expect(JSON.parse(events.stderr.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      type: 'build-finished',
      status: 'failed',
      reason,
    });
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});
