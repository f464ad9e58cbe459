/** Where an engine keeps its things, and what they are called: all of it follows from the home folder and the name. */

import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

export const DEFAULT_HOME = '/var/lib/habitus-lab';

/** The folders that several engines share. */
export interface Home {
  readonly path: string;
  /** Sockets and what dies with a reboot; short, since a socket's path may have 107 bytes. */
  readonly run: string;
  /** Root file systems and base images. */
  readonly cache: string;
}

/** One engine's own files, socket, bridge and marks. */
export interface Layout {
  readonly name: string;
  readonly dir: string;
  readonly data: string;
  readonly log: string;
  readonly state: string;
  readonly root: string;
  readonly run: string;
  readonly socket: string;
  readonly host: `unix://${string}`;
  /** 11 characters: the kernel allows 15. */
  readonly bridge: string;
  /** Marks the engine's iptables rules and names its control groups. */
  readonly mark: string;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** `HABITUS_LAB_HOME` moves everything, `HABITUS_LAB_CACHE` only what can be made again. */
export function homeOf(env: NodeJS.ProcessEnv): Home {
  const path = resolve(env['HABITUS_LAB_HOME'] ?? DEFAULT_HOME);
  const run = path === DEFAULT_HOME ? '/run/habitus-lab' : `/run/habitus-lab-${digest(path)}`;
  return { path, run, cache: resolve(env['HABITUS_LAB_CACHE'] ?? join(path, 'cache')) };
}

export function layoutOf(home: Home, name: string): Layout {
  const dir = join(home.path, 'engines', name);
  const run = join(home.run, name);
  const socket = join(run, 'docker.sock');
  const id = digest(`${home.path}\0${name}`);
  return {
    name,
    dir,
    data: join(dir, 'data'),
    log: join(dir, 'engine.log'),
    state: join(dir, 'state.json'),
    root: join(dir, 'root'),
    run,
    socket,
    host: `unix://${socket}`,
    bridge: `hab${id}`,
    mark: `habitus-lab-${id}`,
  };
}
