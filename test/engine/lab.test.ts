/** The lab's own engines: they start, come back after a crash, and leave nothing behind. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isInside } from '../../src/lab/address.js';
import { engineStatus, ensureEngine, stopEngine } from '../../src/lab/engine.js';
import { enclosed, run } from '../../src/lab/exec.js';
import { endpointOf } from '../../src/lab/http.js';
import { missingImages } from '../../src/lab/images.js';
import { homeOf, layoutOf } from '../../src/lab/layout.js';
import { findIptables } from '../../src/lab/network.js';
import { findNamespace, killNamespace } from '../../src/lab/processes.js';
import { speaker, type Say } from '../../src/lab/say.js';
import { load } from '../../src/lab/state.js';
import { engines } from '../support/engines.js';

describe.each(engines())('$name', (engine) => {
  it('has the base images', async () => {
    const endpoint = endpointOf(engine.host);
    expect(endpoint && (await missingImages(endpoint))).toEqual([]);
  });
});

// An engine of the developer's choice says nothing about private ones, and may be all that this machine can have.
describe.each(engines().filter(({ name }) => name === 'e28'))('a second home', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  let lines: string[];
  let say: Say;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'habitus-lab-'));
    // Making the root file system anew takes half a minute and is what the global setup has just done.
    env = { HABITUS_LAB_HOME: join(folder, 'home'), HABITUS_LAB_CACHE: homeOf(process.env).cache };
    lines = [];
    say = speaker((line) => lines.push(line));
  });

  afterEach(async () => {
    await stopEngine('e28', { env, say });
    await rm(folder, { recursive: true });
  });

  it('leaves no process, mount, bridge, rule, control group or file after down', async () => {
    const layout = layoutOf(homeOf(env), 'e28');
    const engine = await ensureEngine('e28', { env, say });
    const docker = new Docker({ socketPath: engine.socket });
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'] });
    await container.start();
    await docker.createNetwork({ Name: 'second' });
    const block = (await load(layout))?.block;
    if (block === undefined) throw new Error('the engine has no block');

    const traces = async (): Promise<Record<string, readonly string[]>> => ({
      processes: await processesWith(layout.run),
      mounts: await mountsWith(env['HABITUS_LAB_HOME'] ?? '', layout.run),
      bridges: await bridges((name, address) => name === layout.bridge || isInside(block, address)),
      rules: await rulesWith(layout.mark, block.all),
      groups: await groupsWith(layout.mark),
      files: await existing(env['HABITUS_LAB_HOME'] ?? '', layout.run, homeOf(env).run),
    });

    const before = await traces();
    expect(Object.entries(before).filter(([, found]) => found.length === 0)).toEqual([]);
    expect(before['bridges']).toHaveLength(2);
    expect(before['rules']).toHaveLength(3);

    await stopEngine('e28', { env, say });
    expect(await traces()).toEqual({
      processes: [],
      mounts: [],
      bridges: [],
      rules: [],
      groups: [],
      files: [],
    });
    expect((await engineStatus({ env })).map(({ state }) => state.kind)).not.toContain('running');
    expect(await existing(homeOf(env).cache)).toHaveLength(1);
  });

  it('gives two callers the same engine, started once', async () => {
    const [one, two] = await Promise.all([
      ensureEngine('e28', { env, say }),
      ensureEngine('e28', { env, say }),
    ]);
    expect(two).toEqual(one);
    expect(lines.filter((line) => line.includes('starting engine "e28"'))).toHaveLength(1);
    expect(lines).toContain(`lab: waiting for process ${process.pid} (engine up e28)`);
  });

  it('brings a killed engine back with its images', async () => {
    const layout = layoutOf(homeOf(env), 'e28');
    const engine = await ensureEngine('e28', { env, say });
    await new Docker({ socketPath: engine.socket })
      .getImage('busybox:latest')
      .tag({ repo: 'kept', tag: '1' });
    const first = await findNamespace(layout.run);
    if (first === undefined) throw new Error('the engine has no process');
    await killNamespace(first);

    await ensureEngine('e28', { env, say });
    const second = await findNamespace(layout.run);
    expect(second).toBeDefined();
    expect(second).not.toEqual(first);
    expect((await new Docker({ socketPath: engine.socket }).getImage('kept:1').inspect()).Id).toMatch(
      /^sha256:/,
    );
  });
});

describe.each(engines().filter(({ name }) => name === 'e28'))('a tool that is enclosed', () => {
  it('ends with whoever started it, however that ended, and so do its children and its mounts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'habitus-enclosed-'));
    const tool = `mount -t tmpfs none ${folder} && (sleep 1000 & echo mounted; wait)`;
    const start = `const [tool, ...rest] = ${JSON.stringify(enclosed(['/bin/sh', '-c', tool]))};
      require('node:child_process').spawn(tool, rest, { stdio: 'inherit' });`;
    const starter = spawn(process.execPath, ['-e', start], { stdio: ['ignore', 'pipe', 'inherit'] });
    // All of them write there, so that it closes with the last one.
    const closed = once(starter.stdout, 'close');
    await once(starter.stdout, 'data');
    expect(await mountsWith(folder)).not.toEqual([]);
    starter.kill('SIGKILL');
    await closed;
    expect(await processesWith(folder)).toEqual([]);
    expect(await mountsWith(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

/** The command lines of all processes that name this path. */
async function processesWith(path: string): Promise<readonly string[]> {
  const lines = await forEachProcess((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8'));
  return lines.filter((line) => line.includes(path));
}

/** The mounts of all namespaces that name one of these paths. */
async function mountsWith(...paths: readonly string[]): Promise<readonly string[]> {
  const tables = await forEachProcess((pid) => readFile(`/proc/${pid}/mountinfo`, 'utf8'));
  return tables
    .flatMap((table) => table.split('\n'))
    .filter((line) => paths.some((path) => line.includes(path)));
}

async function forEachProcess(read: (pid: string) => Promise<string>): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return Promise.all(pids.map((pid) => read(pid).catch(() => '')));
}

async function bridges(isOurs: (name: string, address: string) => boolean): Promise<readonly string[]> {
  interface Link {
    readonly ifname: string;
    readonly addr_info: readonly { readonly local?: string }[];
  }
  const links = JSON.parse(
    await run(['ip', '-j', 'addr', 'show', 'type', 'bridge']),
  ) as readonly Partial<Link>[];
  return links.flatMap(({ ifname = '', addr_info = [] }) => {
    const addresses = addr_info.map(({ local = '' }) => local);
    return addresses.some((address) => isOurs(ifname, address)) || isOurs(ifname, '') ? [ifname] : [];
  });
}

async function rulesWith(...texts: readonly string[]): Promise<readonly string[]> {
  const rootfs = (await readdir(homeOf(process.env).cache)).find((name) => name.startsWith('rootfs-forky'));
  const iptables = await findIptables(rootfs && join(homeOf(process.env).cache, rootfs));
  if (iptables === undefined) throw new Error('no iptables');
  const rules = await run([...iptables, '-S']);
  const nat = await run([...iptables, '-t', 'nat', '-S']);
  return `${rules}${nat}`.split('\n').filter((line) => texts.some((text) => line.includes(text)));
}

async function groupsWith(mark: string): Promise<readonly string[]> {
  const trees = await readdir('/sys/fs/cgroup');
  return existing(...['', ...trees].map((tree) => join('/sys/fs/cgroup', tree, mark)));
}

async function existing(...paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      stat(path)
        .then(() => [path])
        .catch(() => []),
    ),
  );
  return found.flat();
}
