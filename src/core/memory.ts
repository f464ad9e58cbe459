/** What the core asks of the memory of earlier sessions, which `src/cache` keeps: what need not be built again. */
import type { ListedFolder } from '../tar/listed.js';

/** What becomes of a step. */
export type Fate =
  /** `why`: sentences without final period, where somebody asks for them. */
  | { readonly kind: 'build'; readonly why: readonly string[] }
  /** Unchanged, and its image is there: it gets its name, and its commands run but for a `command` that is left out. */
  | { readonly kind: 'reuse'; readonly imageId: string; readonly command: 'runs' | 'left out' }
  /** Unchanged, as is all of the plan, and its image has its name already: there is nothing to do, and nothing is held. */
  | { readonly kind: 'named'; readonly imageId: string }
  /** Unchanged, and nothing needs its image, which may be gone. */
  | { readonly kind: 'leave'; readonly imageId: string };

/** Of a step for which something is done. */
export type WorkingFate = Extract<Fate, { kind: 'build' | 'reuse' }>;

/** Give a step's image the session's name. @returns false where the engine does not have it */
export type Hold = (label: string, imageId: string) => Promise<boolean>;

/** A step that has succeeded. */
export interface DoneStep {
  readonly label: string;
  readonly fate: Fate;
  readonly imageId: string;
  readonly durationMs: number;
}

/** To be disposed of, which stops what it may still be looking at. */
export interface SessionMemory extends AsyncDisposable {
  /**
   * By step label, for every step. Asked before anything is built. Images that are to be reused are held at once, for another
   * session may be about to remove them; where nothing at all is to be done, it may as well do so after this one has ended.
   * @param moved settles with whether this session has moved names meanwhile, those that dead sessions were giving
   * @throws EngineError, or the signal's reason
   */
  decide(hold: Hold, moved: Promise<boolean>, signal: AbortSignal): Promise<ReadonlyMap<string, Fate>>;
  /** Image IDs by name, as `decide` found them; absent where it had no need to ask. */
  readonly named: ReadonlyMap<string, string> | undefined;
  /** How long the last real build of a step took, in milliseconds. */
  durationOf(label: string): number | undefined;
  /** A step's context as it is by now, where it has just been listed. */
  listed(label: string): ListedFolder | undefined;
  /**
   * A step's builder has read all that it asks for of the context, by now, or a little before.
   * @param asListed whether it was given the list that `listed` gave
   */
  contextSent(label: string, asListed: boolean): void;
  /** Every step has succeeded. Never rejects, except for the signal's reason. */
  remember(session: string, done: readonly DoneStep[], signal: AbortSignal): Promise<void>;
}
