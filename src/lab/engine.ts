/** The life of a private engine: up, status, down. */

import { mkdir, rm } from 'node:fs/promises';
import { ENGINE_NAMES, specOf, type EngineName, type Origin } from './catalogue.js';
import { isMade, make, pathOf, rootfsRecipe } from './debian.js';
import { LabError, hasCode } from './error.js';
import { run } from './exec.js';
import { answers, call, type Endpoint } from './http.js';
import { missingImages, provideImages } from './images.js';
import { launch } from './launch.js';
import { homeOf, layoutOf, type Home, type Layout } from './layout.js';
import { withLock } from './lock.js';
import { connectNetwork, disconnectNetwork, findIptables, freeBlock, outgoingMtu } from './network.js';
import { ensureTools, whatIsMissing } from './packages.js';
import { findNamespace, killNamespace } from './processes.js';
import { aloud, type Say } from './say.js';
import { load, save } from './state.js';
import { removeControlGroups, removeEmptyHome } from './teardown.js';

/** A running engine, for who wants to talk to it. */
export interface LabEngine {
  readonly name: EngineName;
  readonly socket: string;
  /** For DOCKER_HOST. */
  readonly host: `unix://${string}`;
}

export type EngineState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'stopped' }
  /** Only root may talk to it. */
  | { readonly kind: 'locked' }
  | { readonly kind: 'running'; readonly version: string };

export interface EngineStatus extends LabEngine {
  readonly about: string;
  readonly state: EngineState;
}

export interface LabOptions {
  /** Where the lab's folders are told: HABITUS_LAB_HOME, HABITUS_LAB_CACHE. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
  /** Default: standard error. */
  readonly say?: Say;
}

const endpoint = (layout: Layout): Endpoint => ({ kind: 'unix', path: layout.socket });
const asEngine = (name: EngineName, { socket, host }: Layout): LabEngine => ({ name, socket, host });

/**
 * Starts the engine unless it runs, and gives it the base images. Safe to call from several processes at once.
 * Rejects with a LabError that says what is missing on this machine.
 */
export async function ensureEngine(name: EngineName, options: LabOptions = {}): Promise<LabEngine> {
  const home = homeOf(options.env ?? process.env);
  const say = options.say ?? aloud;
  const layout = layoutOf(home, name);
  const engine = asEngine(name, layout);
  if ((await answers(endpoint(layout))) && (await missingImages(endpoint(layout))).length === 0)
    return engine;
  await requireRights();
  return locked(`engine up ${name}`, say, async () => {
    if (!(await answers(endpoint(layout)))) await start(home, layout, name, say);
    const missing = await missingImages(endpoint(layout));
    if (missing.length > 0) await provideImages(home, endpoint(layout), missing, say);
    return engine;
  });
}

async function start(home: Home, layout: Layout, name: EngineName, say: Say): Promise<void> {
  const spec = specOf(name);
  await ensureTools([{ program: 'ip', package: 'iproute2' }], 'the engine needs a bridge of its own', say);
  const lower = await programsOf(spec.origin, home, say);
  const iptables = await findIptables(spec.origin.kind === 'host' ? undefined : lower);
  if (iptables === undefined)
    throw new LabError('iptables is missing', 'install it: apt-get install iptables');
  const saved = await load(layout);
  // An engine that runs without answering would keep the data folder locked.
  await killProcesses(layout);
  await say.timed(`starting engine "${name}" (${spec.about})`, async () => {
    const block = saved?.block ?? (await freeBlock(layout));
    const mtu = await outgoingMtu();
    await save(layout, { block });
    await refuseOverlay(layout);
    await connectNetwork(layout, block, mtu, iptables);
    await launch({ layout, lower, block, mtu, flags: spec.flags });
  });
}

/** The root file system with the engine's programs in it. */
async function programsOf(origin: Origin, home: Home, say: Say): Promise<string> {
  switch (origin.kind) {
    case 'host': {
      const tools = [
        { program: 'dockerd', package: 'docker.io' },
        { program: 'iptables', package: 'iptables' },
      ];
      await ensureTools(tools, 'no Docker Engine answers on this machine, so it gets one', say);
      return '/';
    }
    case 'rootfs':
      return make(home, rootfsRecipe(origin.suite), say);
  }
}

export async function engineStatus(options: LabOptions = {}): Promise<readonly EngineStatus[]> {
  const home = homeOf(options.env ?? process.env);
  return Promise.all(
    ENGINE_NAMES.map(async (name) => {
      const layout = layoutOf(home, name);
      return { ...asEngine(name, layout), about: specOf(name).about, state: await stateOf(layout) };
    }),
  );
}

async function stateOf(layout: Layout): Promise<EngineState> {
  try {
    const signal = AbortSignal.timeout(2000);
    const answer = await call(endpoint(layout), { method: 'GET', path: '/version', signal });
    const { Version } = JSON.parse(answer.body) as { readonly Version?: string };
    return { kind: 'running', version: Version ?? 'unknown' };
  } catch (error) {
    if (hasCode(error, 'EACCES')) return { kind: 'locked' };
    return { kind: (await load(layout)) === undefined ? 'absent' : 'stopped' };
  }
}

/**
 * Stops the engine and removes everything of it: processes and their mounts, bridges, rules, control groups, data. With
 * the last engine of a home go its root file systems, base images and folders.
 */
export async function stopEngine(name: EngineName, options: LabOptions = {}): Promise<void> {
  const home = homeOf(options.env ?? process.env);
  const say = options.say ?? aloud;
  const layout = layoutOf(home, name);
  await requireRights();
  await locked(`engine down ${name}`, say, async () => {
    await killProcesses(layout);
    const { origin } = specOf(name);
    const recipe = origin.kind === 'rootfs' ? rootfsRecipe(origin.suite) : undefined;
    const rootfs = recipe !== undefined && (await isMade(home, recipe)) ? pathOf(home, recipe) : undefined;
    await disconnectNetwork(layout, await findIptables(rootfs));
    await removeControlGroups(layout);
    await rm(layout.run, { recursive: true, force: true });
    await rm(layout.dir, { recursive: true, force: true });
    await removeEmptyHome(home);
  });
}

async function requireRights(): Promise<void> {
  const problem = await whatIsMissing();
  if (problem !== undefined) throw problem;
}

/** Docker's overlay2 store cannot lie on another overlay, such as a container's root. */
async function refuseOverlay(layout: Layout): Promise<void> {
  await mkdir(layout.data, { recursive: true });
  if ((await run(['stat', '--file-system', '--format=%T', layout.data])).trim() !== 'overlayfs') return;
  const hint = 'set HABITUS_LAB_HOME to a folder on a disk or a volume';
  throw new LabError(`${layout.data} lies on an overlay file system, where Docker cannot keep images`, hint);
}

async function killProcesses(layout: Layout): Promise<void> {
  const found = await findNamespace(layout.run);
  if (found !== undefined) await killNamespace(found);
}

function locked<T>(purpose: string, say: Say, work: () => Promise<T>): Promise<T> {
  const onWait = (holder: string): void => {
    say.line(`waiting for ${holder}`);
  };
  return withLock({ purpose, onWait }, work);
}
