/** Rewrites an image's config for its squashed layers; everything that runs stays as it was built. */
import { configFacts, isObject, parseJson, type JsonObject } from './documents.js';
import { ImageError } from './errors.js';

/** Others are stale afterwards, or leak what was built: `container_config`, `container`, `parent`, `moby.buildkit.*`. */
const KEPT = ['architecture', 'variant', 'os', 'author', 'created', 'config'] as const;

const INSTRUCTIONS = [
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
];
/** How the classic builder writes an instruction that runs nothing, and one that runs with build args. */
const CLASSIC_NOP = /^\/bin\/sh -c #\(nop\)\s+/;

export const SQUASHED_BY = 'habitus squash';

export interface ConfigChange {
  /** Layers of the base, which stay. */
  readonly baseLayers: number;
  /** The one layer above them. */
  readonly newDiffId: string;
}

/**
 * Deterministic: the same config and layer give the same bytes, and with them the same image ID; `created` is kept.
 * @param config as the engine has it
 * @throws ImageError when it is no config, or its history and layers contradict each other
 */
export function rewriteConfig(config: Buffer, { baseLayers, newDiffId }: ConfigChange): Buffer {
  const value = parseJson(config, 'the config');
  const { diffIds } = configFacts(value, 'the config');
  if (!isObject(value)) throw new ImageError('corrupt', 'The config of the image is malformed');
  if (diffIds.length < baseLayers)
    throw new ImageError(
      'mismatch',
      `The image has ${diffIds.length} layers, fewer than its base's ${baseLayers}`,
    );
  const kept = KEPT.filter((key) => value[key] !== undefined).map((key) => [key, value[key]]);
  const rootfs = { type: 'layers', diff_ids: [...diffIds.slice(0, baseLayers), newDiffId] };
  const history = rewriteHistory(value['history'], baseLayers, value['created']);
  return Buffer.from(JSON.stringify({ ...Object.fromEntries(kept), rootfs, history }));
}

/** As many entries make a layer as there are layers, or engines refuse the image or choke on its history. */
function rewriteHistory(history: unknown, baseLayers: number, created: unknown): JsonObject[] {
  const entries: unknown[] = Array.isArray(history) ? history : [];
  let layers = 0;
  const kept = entries.filter(isObject).flatMap((entry) => {
    const below = layers < baseLayers;
    if (entry['empty_layer'] !== true) layers += 1;
    if (below) return [entry];
    // An earlier squash above the base is part of this one: squashing again changes nothing.
    return entry['created_by'] === SQUASHED_BY ? [] : [redacted(entry)];
  });
  return [...kept, { ...(created !== undefined && { created }), created_by: SQUASHED_BY }];
}

/** The text of RUN and of build args may be secret; what kind of instruction it was is not. */
function redacted(entry: JsonObject): JsonObject {
  const { created, created_by: text } = entry;
  return {
    ...(created !== undefined && { created }),
    created_by: `${instruction(text)} (squashed)`,
    empty_layer: true,
  };
}

function instruction(text: unknown): string {
  if (typeof text !== 'string') return '(unknown)';
  const first = /^[A-Z]+/.exec(text.replace(CLASSIC_NOP, ''))?.[0] ?? '';
  if (INSTRUCTIONS.includes(first)) return first;
  return /^(?:\|\d+ |\/bin\/sh )/.test(text) ? 'RUN' : '(unknown)';
}
