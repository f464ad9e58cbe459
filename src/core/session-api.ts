/** What the package offers for sessions: what they hold on an engine, and the removal of what dead ones have left. */
import type { EngineAddress } from './api.js';
import type { Life } from './owner.js';

export interface SessionsOptions {
  readonly engine?: EngineAddress;
  readonly signal?: AbortSignal;
}

export interface SessionSummary {
  readonly session: string;
  /** `unknown`: of another host or container, whose processes cannot be seen from here. */
  readonly state: Life;
  /** By its owner's clock, in milliseconds since the epoch. */
  readonly began: number;
  /** The process that owns it; absent where that is of another host or container, or nobody wrote it down. */
  readonly pid?: number;
  readonly containers: number;
  /** Locks, held while names are given. */
  readonly volumes: number;
  readonly images: number;
  /** Names that its images have while it lasts. */
  readonly names: number;
  /** Of its images, as `docker images` tells it: shared layers count for each of them. */
  readonly bytes: number;
}

export interface GcOptions extends SessionsOptions {
  /** Of sessions in state `unknown`, those that began longer ago than this are taken for dead; default one day. */
  readonly olderThanMs?: number;
  /** Remove nothing; default false. */
  readonly dryRun?: boolean;
}

export interface GcResult {
  readonly dryRun: boolean;
  /** Oldest first. Of a dry run: what would be collected. */
  readonly collected: readonly CollectedSession[];
  /** Those that were left alone. */
  readonly kept: readonly SessionSummary[];
}

export interface CollectedSession extends SessionSummary {
  /** Present where it died while it gave names: what has become of them. */
  readonly promotion?: { readonly how: 'finished' | 'undone'; readonly names: readonly string[] };
  /** What could not be removed, one sentence each. */
  readonly problems: readonly string[];
}

/**
 * What sessions hold on an engine, oldest first. Those that hold nothing yet are not among them.
 * Rejects with EngineError where none answers.
 */
export type ListSessions = (options: SessionsOptions) => Promise<readonly SessionSummary[]>;

/**
 * Remove what dead sessions have left on an engine. What cannot be removed is in the result.
 * Rejects with EngineError where none answers.
 */
export type CollectGarbage = (options: GcOptions) => Promise<GcResult>;
