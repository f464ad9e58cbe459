/** What the package offers for single images: squashing, checking and searching them, and the progress they tell. */
import type { Writable } from 'node:stream';
import type { EngineAddress } from './api.js';

export interface SquashOptions {
  /**
   * The name or ID of an image on the engine, or the path of a tar that `docker save` wrote or that holds an OCI layout.
   * A path begins with `/`, `./` or `../`, or ends in `.tar`, `.tar.gz` or `.tgz`.
   */
  readonly image: string;
  /**
   * What stays as it is: an image (name, ID or path as above) whose layers are the lowest ones, their number, or
   * `scratch`. Default `scratch`: all layers become one.
   */
  readonly from?: string | number;
  /** Names for the result. Default: the image's own name, which moves to the result. */
  readonly tags?: readonly string[];
  /** Write an archive to this path or stream, and leave the engine as it is. A stream is not ended. */
  readonly output?: string | Writable;
  readonly engine?: EngineAddress;
  /** Called synchronously. Must not throw. */
  readonly emit?: EmitImageEvent;
  readonly signal?: AbortSignal;
}

export interface SquashResult {
  /** On the engine; of an archive the ID that engines with graphdrivers will give it. */
  readonly imageId: string;
  /** The engine had this very image before: nothing was loaded, only names were given. */
  readonly known: boolean;
  /** `repository:tag`. */
  readonly names: readonly string[];
  /** Layers that stayed as they were. */
  readonly baseLayers: number;
  readonly layersBefore: number;
  readonly layersAfter: number;
  /** Unpacked, all layers. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Paths that were in some layer and are in none any more. */
  readonly pathsRemoved: number;
  /** What the result could not keep, e.g. an attestation. */
  readonly dropped: readonly string[];
  /** IDs of images that lost their last name to the result. */
  readonly replaced: readonly { readonly imageId: string; readonly removed: boolean }[];
  readonly durationMs: number;
}

export interface CheckImageOptions {
  /** As in SquashOptions. */
  readonly image: string;
  readonly engine?: EngineAddress;
  readonly emit?: EmitImageEvent;
  readonly signal?: AbortSignal;
}

export interface ImageCheck {
  readonly sound: boolean;
  /** Sentences without a final period. */
  readonly problems: readonly string[];
  /** As far as they could be read. */
  readonly images: readonly CheckedImageSummary[];
}

export interface CheckedImageSummary {
  readonly names: readonly string[];
  /** Digest of the config: the image ID on engines with graphdrivers. */
  readonly configDigest: string;
  /** Digest of the manifest, where there is one: the image ID on containerd stores. */
  readonly manifestDigest?: string;
  /** Base first. */
  readonly layers: readonly CheckedLayer[];
}

export interface CheckedLayer {
  readonly diffId: string;
  /** Unpacked bytes; absent where the layer is missing or cannot be unpacked. */
  readonly bytes?: number;
  readonly entries?: number;
}

export interface ProveOptions {
  /** As in SquashOptions. */
  readonly image: string;
  /** At least one. */
  readonly secrets: readonly ProveSecret[];
  /** What is not searched, as in SquashOptions' `from`. Default: everything is searched. */
  readonly base?: string | number;
  /** Write the result to this file, as JSON. */
  readonly proofFile?: string;
  readonly engine?: EngineAddress;
  readonly emit?: EmitImageEvent;
  readonly signal?: AbortSignal;
}

export interface ProveSecret {
  /** What the result calls it. */
  readonly name: string;
  /** A variable of the process, or a file, relative to the current directory. */
  readonly source: { readonly env: string } | { readonly file: string };
}

export interface ProveResult {
  /** Nothing was found. */
  readonly clean: boolean;
  readonly findings: readonly Finding[];
  /** Names of secrets that are too short to be told from chance. */
  readonly unproven: readonly string[];
  /** diff IDs of the layers searched, base first. */
  readonly layers: readonly string[];
  /** What was not looked into, and why: sentences without a final period. */
  readonly limits: readonly string[];
  /** Unpacked bytes searched, those inside archives included. */
  readonly bytes: number;
}

/** A secret in an image; its value is never told. */
export interface Finding {
  /** Its name. */
  readonly secret: string;
  /** As what it is there, e.g. `raw` or `base64`. */
  readonly encoding: string;
  /** Where: `layer`, `history`, `label`, … */
  readonly kind: string;
  /** diff ID. */
  readonly layer?: string;
  /** Of the history, by which the layer came to be. */
  readonly instruction?: string;
  /** From the outermost: a path in the layer, then a path in that archive, …; or a key of the config. */
  readonly path: readonly string[];
}

/** `look`: which images a file holds; `read`: its layers; `merge`: the new layer's digest; `search`: for secrets. */
export type ImagePhase = 'look' | 'read' | 'merge' | 'load' | 'write' | 'check' | 'search';

/** Plain data; `at` is in milliseconds since the epoch. */
export type ImageEvent =
  | {
      readonly at: number;
      readonly type: 'phase-started';
      readonly phase: ImagePhase;
      /** What it works on: an image's name or a path. */
      readonly subject: string;
      /** How many bytes there will be, where that is known. */
      readonly total?: number;
    }
  | { readonly at: number; readonly type: 'progress'; readonly phase: ImagePhase; readonly bytes: number }
  | {
      readonly at: number;
      readonly type: 'phase-finished';
      readonly phase: ImagePhase;
      readonly bytes: number;
      readonly durationMs: number;
    };

export type EmitImageEvent = (event: ImageEvent) => void;

/**
 * Make one layer of an image's layers, or of those above a base. The original image stays as it is; at most its name moves.
 * Rejects with UsageError (the options or the image are wrong), ImageCommandError (no room, an output that broke),
 * EngineError, or the signal's reason; nothing is left then.
 */
export type Squash = (options: SquashOptions) => Promise<SquashResult>;

/**
 * Recompute every digest and size of an image or archive. What is wrong with it is in the result.
 * Rejects with UsageError (no such image or file), EngineError, or the signal's reason.
 */
export type CheckImage = (options: CheckImageOptions) => Promise<ImageCheck>;

/**
 * Search an image or archive for secrets. What is found is in the result.
 * Rejects with UsageError (no such image, file or secret), EngineError, or the signal's reason.
 */
export type Prove = (options: ProveOptions) => Promise<ProveResult>;
