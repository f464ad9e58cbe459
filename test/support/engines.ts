/**
 * The engines that tests may touch: private ones of the lab, or the one that HABITUS_TEST_ENGINE names; never the user's.
 * The global setup has started them before the first test file is read.
 */

import { inject } from 'vitest';
import type { EngineName } from '../../src/lab/catalogue.js';

export interface TestEngine {
  /** `given` is the engine of HABITUS_TEST_ENGINE. */
  readonly name: EngineName | 'given';
  /** For DOCKER_HOST. */
  readonly host: string;
  /** The path of its Unix socket; undefined for an engine reached by TCP. */
  readonly socket: string | undefined;
  /** The builders that this engine has. */
  readonly builders: readonly ('classic' | 'buildkit')[];
}

declare module 'vitest' {
  export interface ProvidedContext {
    engines: readonly TestEngine[];
  }
}

/** For `describe.each(engines())('$name', (engine) => …)`; has at least one engine. */
export const engines = (): readonly TestEngine[] => inject('engines');

/** The engine for tests to which all engines are equal. */
export function anEngine(): TestEngine {
  const [first] = [...engines()].reverse();
  if (first === undefined) throw new Error('the global setup provided no engine');
  return first;
}
