/** What the core asks of secrets: `src/secrets` reads them, serves them, and proves that none stayed. */
import type { Readable } from 'node:stream';
import type { Artifact } from '../tar/artifact.js';
import type { PlannedStep, SecretSpec } from './plan.js';

/** A secret as it was read at the start of the build. */
export interface Secret extends Pick<SecretSpec, 'name' | 'type'> {
  readonly value: Buffer;
  /** HMAC-SHA256 of the value under this user's key, hex: tells whether it has changed, and nothing else. */
  readonly digest: string;
}

/** One step's way to its secrets, while it is built. Disposing it ends the service for this step. */
export interface ServedSecrets extends AsyncDisposable {
  /** Build args that tell RUN where the service is: of those that the Dockerfile declares. */
  readonly args: Readonly<Record<string, string>>;
  /**
   * Aborted when RUN presents credentials of an earlier session, which are given once more only so that the builder's cache
   * knows an unchanged step: it is to be built again, with fresh ones.
   */
  readonly stale: AbortSignal;
  /** The step is built: the next session may give the same args. */
  built(): Promise<void>;
}

export interface SecretService extends AsyncDisposable {
  /** @param fresh whether credentials of an earlier session are of no use any more */
  serve(step: PlannedStep, secrets: readonly Secret[], fresh: boolean): Promise<ServedSecrets>;
}

/** The secrets of one build. */
export interface BuildSecrets {
  /** Those that a step declares, in the order of the build file. */
  of(label: string): readonly Secret[];
  readonly service: Pick<SecretService, 'serve'>;
  /** Absent where there is nothing to prove, or nobody wants to know. */
  readonly prove?: Prove;
}

/** @returns what was searched and what was found; a hit is no error here */
export type Prove = (leaving: Leaving, signal: AbortSignal) => Promise<ProofReport>;

/** All that leaves a build. */
export interface Leaving {
  readonly images: readonly LeavingImage[];
  readonly artifacts: readonly { readonly step: string; readonly artifact: Artifact }[];
}

export interface LeavingImage {
  readonly step: string;
  readonly imageId: string;
  /** `repository:tag`: those it will have. */
  readonly names: readonly string[];
  /** diff IDs, base first. */
  readonly layers: readonly string[];
  /** How many of them no step of this build has made. */
  readonly baseLayers: number;
  /** Its archive, as `docker save` writes it. */
  readonly save: (signal: AbortSignal) => Promise<Readable>;
}

export interface ProofFinding {
  /** The secret's name. */
  readonly secret: string;
  /** How it is written there, e.g. `base64`. */
  readonly encoding: string;
  readonly step: string;
  readonly kind: 'layer' | 'config' | 'history' | 'label' | 'env' | 'name' | 'artifact';
  /** The name of the image; absent for artifacts. */
  readonly image?: string;
  /** diff ID. */
  readonly layer?: string;
  /** What made the layer or the entry, without secrets. */
  readonly instruction?: string;
  /** Paths, outermost first: a file, then what is packed in it. */
  readonly path: readonly string[];
}

/** What `--proof FILE` writes. */
export interface ProofReport {
  readonly result: 'clean' | 'found';
  readonly secrets: readonly {
    readonly name: string;
    /** HMAC-SHA256 under this user's key, hex. */
    readonly digest: string;
    /** Whether its value is long enough to be told from chance. */
    readonly provable: boolean;
  }[];
  readonly images: readonly {
    readonly step: string;
    readonly imageId: string;
    readonly names: readonly string[];
    /** diff IDs of the layers that were searched. */
    readonly searched: readonly string[];
    /** diff IDs of the layers of the base, which were not. */
    readonly notSearched: readonly string[];
  }[];
  /** Absolute paths in the images they come from. */
  readonly artifacts: readonly { readonly step: string; readonly path: string }[];
  readonly bytes: number;
  readonly findings: readonly ProofFinding[];
  /** What could not be opened or was too deep, one sentence each. */
  readonly limits: readonly string[];
}
