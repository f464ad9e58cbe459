/** What is known of a build while it runs. */
import type { Emit } from './events.js';
import type { Holding } from './leftovers.js';
import type { SessionMemory } from './memory.js';
import type { Plan } from './plan.js';
import type { Builder, Engine, Limits } from './ports.js';
import type { BuildSecrets } from './secrets.js';
import type { Session } from './session.js';
import type { ImageRemoval } from './traces.js';
import type { UserFolder } from './user-folder.js';

export interface BuildSettings {
  readonly builder: Builder;
  /** How many steps work at once. */
  readonly jobs: number;
  readonly keepGoing: boolean;
  readonly keepArtifacts: boolean;
  readonly network: string;
  readonly limits: Limits;
  readonly removeContainers: boolean;
  readonly keepBuildCache: boolean;
  readonly removal: ImageRemoval;
  /** Where it is written down what could be left without a mark. */
  readonly folder: UserFolder;
  /** What sessions held before this one. */
  readonly holdings: Promise<readonly Holding[]>;
  readonly secrets: BuildSecrets;
  /** Fetch the base images anew from their registries. */
  readonly pull: boolean;
  /** Absent: everything is built. */
  readonly memory?: SessionMemory;
  /** Tell of each step why it is built, or is not. */
  readonly explain: boolean;
}

/** What each part of a build gets: the same for all of them, from its beginning to its end. */
export interface RunningBuild {
  readonly plan: Plan;
  readonly engine: Engine;
  readonly session: Session;
  readonly settings: BuildSettings;
  readonly emit: Emit;
  /** Aborted with a TimeoutError the build fails, else it is cancelled. */
  readonly signal: AbortSignal;
}
