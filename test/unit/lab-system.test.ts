import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attempt, run } from '../../src/lab/exec.js';
import { candidates } from '../../src/lab/find.js';
import { endpointOf } from '../../src/lab/http.js';
import { withLock } from '../../src/lab/lock.js';
import { deletions } from '../../src/lab/network.js';
import { withoutServices } from '../../src/lab/packages.js';
import { identify, isAlive, startTime } from '../../src/lab/processes.js';
import { speaker } from '../../src/lab/say.js';
import { Gate } from '../support/gate.js';

describe('candidates', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'habitus-find-'));
  });
  afterEach(() => rm(home, { recursive: true }));

  const fallback = { from: 'the default socket', host: 'unix:///var/run/docker.sock' };

  async function context(name: string, host: string): Promise<void> {
    const folder = join(home, '.docker/contexts/meta', createHash('sha256').update(name).digest('hex'));
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'meta.json'),
      JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }),
    );
  }

  it('are DOCKER_HOST, the context in use, and the default socket, in this order', async () => {
    await context('work', 'unix:///work.sock');
    await writeFile(join(home, '.docker/config.json'), '{"currentContext":"work"}');
    expect(await candidates({ HOME: home, DOCKER_HOST: 'tcp://127.0.0.1:2375' })).toEqual([
      { from: 'DOCKER_HOST', host: 'tcp://127.0.0.1:2375' },
      { from: 'the Docker context "work"', host: 'unix:///work.sock' },
      fallback,
    ]);
  });

  it('take the context of DOCKER_CONTEXT rather than the one in use', async () => {
    await context('work', 'unix:///work.sock');
    await context('other', 'unix:///other.sock');
    await writeFile(join(home, '.docker/config.json'), '{"currentContext":"work"}');
    expect(await candidates({ HOME: home, DOCKER_CONTEXT: 'other' })).toEqual([
      { from: 'the Docker context "other"', host: 'unix:///other.sock' },
      fallback,
    ]);
  });

  it.each(['', 'not JSON', '[]', 'null', '{"currentContext":7}', '{"currentContext":"gone"}'])(
    'survive the configuration %j',
    async (text) => {
      await mkdir(join(home, '.docker'));
      await writeFile(join(home, '.docker/config.json'), text);
      expect(await candidates({ HOME: home, DOCKER_HOST: '' })).toEqual([fallback]);
    },
  );
});

describe('endpointOf', () => {
  it.each([
    ['unix:///run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['tcp://10.0.0.1:2375', { kind: 'tcp', host: '10.0.0.1', port: 2375 }],
    ['tcp://docker', { kind: 'tcp', host: 'docker', port: 2375 }],
    ['ssh://me@host', undefined],
    ['https://host:2376', undefined],
    ['tcp://', undefined],
    ['nonsense', undefined],
  ])('reads %j', (host, endpoint) => {
    expect(endpointOf(host)).toEqual(endpoint);
  });
});

describe('withLock', () => {
  const name = `\0habitus-lab-test-${process.pid}`;
  const ignore = (): void => undefined;

  it('lets the second in only when the first is out, and tells it whom it waits for', async () => {
    const order: string[] = [];
    const inside = new Gate();
    const first = withLock({ name, purpose: 'first', onWait: ignore }, async () => {
      order.push('first in');
      await inside.pass();
      order.push('first out');
    });
    await inside.reached;
    const onWait = (holder: string): void => {
      order.push(`waits for ${holder}`);
      inside.open();
    };
    const second = withLock({ name, purpose: 'second', onWait }, () => {
      order.push('second in');
      return Promise.resolve();
    });
    await Promise.all([first, second]);
    expect(order).toEqual(['first in', `waits for process ${process.pid} (first)`, 'first out', 'second in']);
  });

  it('is free again after a failure inside', async () => {
    const broken = withLock({ name, purpose: 'broken', onWait: ignore }, () =>
      Promise.reject(new Error('broken')),
    );
    await expect(broken).rejects.toThrow('broken');
    expect(await withLock({ name, purpose: 'next', onWait: ignore }, () => Promise.resolve('in'))).toBe('in');
  });

  it('is free again when its holder is killed', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(name)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await expect(run([process.execPath, '-e', script])).rejects.toThrow('ended with SIGKILL');
    expect(await withLock({ name, purpose: 'next', onWait: ignore }, () => Promise.resolve('in'))).toBe('in');
  });
});

describe('deletions', () => {
  it('are of the marked rules and of no other', () => {
    const listing = [
      '-P FORWARD DROP',
      '-A FORWARD -d 10.1.0.0/18 -m comment --comment habitus-lab-aa -j ACCEPT',
      '-A FORWARD -s 10.1.0.0/18 -m comment --comment "habitus-lab-aa" -j ACCEPT',
      '-A FORWARD -s 10.2.0.0/18 -m comment --comment habitus-lab-aab -j ACCEPT',
      '-A FORWARD -o docker0 -j DOCKER',
      '',
    ].join('\n');
    expect(deletions(listing, 'habitus-lab-aa').map((args) => args.join(' '))).toEqual([
      '-D FORWARD -d 10.1.0.0/18 -m comment --comment habitus-lab-aa -j ACCEPT',
      '-D FORWARD -s 10.1.0.0/18 -m comment --comment habitus-lab-aa -j ACCEPT',
    ]);
  });
});

describe('a process', () => {
  const stat = (state: string): string =>
    `7 (a ) (b) ${state} 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1000 10 184467`;

  it('has a start time, whatever its name is', () => {
    expect(startTime(stat('S'))).toBe('4711');
  });

  it('counts as gone when it is a zombie', () => {
    expect(startTime(stat('Z'))).toBeUndefined();
  });

  it('is known again, and not mistaken for a later one with its number', async () => {
    const self = await identify(process.pid);
    expect(self && (await isAlive(self))).toBe(true);
    expect(await isAlive({ pid: process.pid, started: 'another boot:1' })).toBe(false);
  });
});

describe('run', () => {
  it('shows the last lines of a tool that fails, and how to run it by hand', async () => {
    await expect(run(['/bin/sh', '-c', 'echo one; echo two >&2; exit 3'])).rejects.toMatchObject({
      message: '/bin/sh ended with 3:\none\ntwo',
      hint: 'run it by hand to see more: /bin/sh -c echo one; echo two >&2; exit 3',
    });
  });

  it('says that a tool is missing', async () => {
    await expect(run(['no-such-tool'], { hint: 'install it' })).rejects.toMatchObject({
      message: 'no-such-tool could not be started',
      hint: 'install it',
    });
  });
});

describe('withoutServices', () => {
  let folder: string;
  let policy: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'habitus-policy-'));
    policy = join(folder, 'policy-rc.d');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('forbids services to start while packages are installed, and only then', async () => {
    const codes: unknown[] = [];
    await withoutServices(async () => {
      codes.push((await attempt([policy, 'docker', 'start'])).code);
    }, policy);
    expect(codes).toEqual([101]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is lifted when the installation fails', async () => {
    await expect(withoutServices(() => Promise.reject(new Error('no network')), policy)).rejects.toThrow(
      'no network',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves an administrator's own policy as it is", async () => {
    await writeFile(policy, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    await withoutServices(() => Promise.resolve(), policy);
    expect(await readFile(policy, 'utf8')).toBe('#!/bin/sh\nexit 0\n');
  });

  it('also removes one that a killed run left behind', async () => {
    await withoutServices(() => copyFile(policy, `${policy}.left`), policy);
    await rename(`${policy}.left`, policy);
    await withoutServices(() => Promise.resolve(), policy);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('speaker', () => {
  it('tells what begins and how long it took, and keeps the lines of one message together', async () => {
    const lines: string[] = [];
    const say = speaker((line) => lines.push(line));
    expect(await say.timed('making it', () => Promise.resolve('made'))).toBe('made');
    say.line('one\ntwo');
    expect(lines).toEqual([
      'lab: making it',
      expect.stringMatching(/^lab: {3}done in \d+\.\d s$/),
      'lab: one\n     two',
    ]);
  });
});
