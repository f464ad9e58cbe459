/** The engines that the lab knows, and what each is for. */

import { LabError } from './error.js';

/** Where an engine's programs come from: the host's own packages, or a Debian of its own in a folder. */
export type Origin =
  { readonly kind: 'host' } | { readonly kind: 'rootfs'; readonly suite: 'bookworm' | 'forky' };

export interface EngineSpec {
  readonly name: EngineName;
  readonly about: string;
  readonly origin: Origin;
  /** More flags for dockerd. */
  readonly flags: readonly string[];
}

export const ENGINE_NAMES = ['start', 'e20', 'e28', 'e28c'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** The engine of `npm start`. */
export const DEFAULT_ENGINE: EngineName = 'start';

/** The engines of the tests: one for each way in which Docker differs for this program. */
export const TEST_ENGINES: readonly EngineName[] = ['e20', 'e28', 'e28c'];

const SPECS: Readonly<Record<EngineName, EngineSpec>> = {
  start: { name: 'start', about: "this machine's docker.io package", origin: { kind: 'host' }, flags: [] },
  e20: {
    name: 'e20',
    about: 'Docker 20.10, Debian bookworm',
    origin: { kind: 'rootfs', suite: 'bookworm' },
    flags: [],
  },
  e28: {
    name: 'e28',
    about: 'Docker 28, Debian forky, overlay2 store',
    origin: { kind: 'rootfs', suite: 'forky' },
    flags: [],
  },
  e28c: {
    name: 'e28c',
    about: 'Docker 28, Debian forky, containerd store',
    origin: { kind: 'rootfs', suite: 'forky' },
    flags: ['--feature=containerd-snapshotter=true'],
  },
};

export const specOf = (name: EngineName): EngineSpec => SPECS[name];

/** Reads an engine's name as a user typed it. */
export function engineName(text: string): EngineName {
  const found = ENGINE_NAMES.find((name) => name === text);
  if (found !== undefined) return found;
  throw new LabError(`there is no engine named "${text}"`, `name one of ${ENGINE_NAMES.join(', ')}`);
}
