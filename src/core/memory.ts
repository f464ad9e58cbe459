/** What the core asks of the memory of earlier sessions, which `src/cache` keeps: what need not be built again. */

/** What becomes of a step. */
export type Fate =
  /** `why`: at least one sentence without final period. */
  | { readonly kind: 'build'; readonly why: readonly string[] }
  /** Unchanged, and its image is there: it gets its name, and its commands run but for a `command` that is left out. */
  | { readonly kind: 'reuse'; readonly imageId: string; readonly command: 'runs' | 'left out' }
  /** Unchanged, and nothing needs its image, which may be gone. */
  | { readonly kind: 'leave'; readonly imageId: string };

/** Give a step's image the session's name. @returns false where the engine does not have it */
export type Hold = (label: string, imageId: string) => Promise<boolean>;

/** A step that has succeeded. */
export interface DoneStep {
  readonly label: string;
  readonly fate: Fate;
  readonly imageId: string;
  readonly durationMs: number;
}

export interface SessionMemory {
  /**
   * By step label, for every step. Asked before anything is built. Images that are to be reused are held at once, for another
   * session may be about to remove them.
   * @throws EngineError, or the signal's reason
   */
  decide(hold: Hold, signal: AbortSignal): Promise<ReadonlyMap<string, Fate>>;
  /** How long the last real build of a step took, in milliseconds. */
  durationOf(label: string): number | undefined;
  /** Every step has succeeded. Never rejects, except for the signal's reason. */
  remember(session: string, done: readonly DoneStep[], signal: AbortSignal): Promise<void>;
}
