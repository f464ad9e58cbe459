/** The errors of this room: what is wrong with an image archive, and in which layer and entry of it. */

/** What kind of trouble, for programs. */
export type ImageTrouble =
  /** The input is no image archive at all. */
  | 'not-an-image'
  /** The input ends too early. */
  | 'truncated'
  /** A digest, size or structure is wrong. */
  | 'corrupt'
  /** The archive is sound, but not the image that was expected. */
  | 'mismatch'
  /** An entry whose name an image must not have. */
  | 'hostile-name'
  /** Something that this program cannot carry without loss. */
  | 'unsupported'
  /** It unpacks to far more than it should. */
  | 'too-large'
  /** The temporary folder cannot hold it. */
  | 'no-room';

export interface ImageErrorDetails {
  /** What to do next, a sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Number of the layer, the lowest being 1. */
  readonly layer?: number;
  /** Path of the entry in the layer, printable. */
  readonly entry?: string;
}

/** An image archive cannot be used: a sentence without a final period. */
export class ImageError extends Error {
  readonly trouble: ImageTrouble;
  readonly hint: string | undefined;
  readonly layer: number | undefined;
  readonly entry: string | undefined;

  constructor(trouble: ImageTrouble, message: string, details: ImageErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ImageError';
    this.trouble = trouble;
    this.hint = details.hint;
    this.layer = details.layer;
    this.entry = details.entry;
  }
}

/** What is wrong inside a layer, found before it is known which layer of the image it is. */
export interface LayerProblem {
  readonly trouble: ImageTrouble;
  /** A predicate, e.g. `has an entry that leaves the image: "../x"`. */
  readonly text: string;
  readonly entry?: string;
  readonly cause?: unknown;
}

/** Who the problem belongs to: the layer's number (from 1), how many there are, and its diff ID. */
export function layerError(
  problem: LayerProblem,
  layer: number,
  layers: number,
  diffId: string | undefined,
): ImageError {
  return new ImageError(problem.trouble, `${layerName(layer, layers, diffId)} ${problem.text}`, {
    layer,
    ...(problem.entry !== undefined && { entry: problem.entry }),
    ...(problem.cause !== undefined && { cause: problem.cause }),
  });
}

/** E.g. `Layer 2 of 5 (sha256:0123456789ab)`. */
export function layerName(layer: number, layers: number, diffId: string | undefined): string {
  const short = diffId === undefined ? '' : ` (${diffId.slice(0, 'sha256:'.length + 12)})`;
  return `Layer ${layer} of ${layers}${short}`;
}
