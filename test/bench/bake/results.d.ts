/** The shapes of what is measured, for the tests. */

export interface Run {
  /** Seconds. */
  readonly wall: number;
  /** Seconds. */
  readonly cpu: number;
  readonly megabytes: number;
  /** Of a build: whether the machine was at rest before. */
  readonly rested?: boolean;
}

export type Measured =
  | { readonly name: string; readonly runs: readonly Run[] }
  | { readonly name: string; readonly failed: string };

export interface BuildCase {
  readonly title: string;
  readonly goal: number;
  readonly rounds: number;
  readonly programs: readonly Measured[];
}

export interface PlanCase {
  readonly count: number;
  readonly title: string;
  readonly programs: readonly {
    readonly name: string;
    readonly idle: Measured;
    readonly planned: Measured;
  }[];
}

export interface Results {
  readonly machine: Readonly<Record<string, unknown>>;
  /** Of rounds, where a case does not have more. */
  readonly count: number;
  readonly builds: readonly BuildCase[];
  readonly plans: readonly PlanCase[];
  readonly startup: readonly Measured[];
}
