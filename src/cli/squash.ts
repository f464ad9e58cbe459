/** The command `habitus squash`. */
import { EXIT, UsageError } from '../core/errors.js';
import type { SquashOptions, SquashResult } from '../core/image-api.js';
import { formatBytes } from '../report/bytes.js';
import { formatDuration } from '../report/duration.js';
import { toJson } from '../report/json.js';
import { sanitize } from '../report/sanitize.js';
import { MARKS, plural, shortId, type Paint } from '../report/style.js';
import type { Appearance } from './appearance.js';
import { runImageCommand } from './image-command.js';
import type { ImageCommandLine } from './image-command-line.js';
import type { World } from './world.js';

type SquashCommand = Extract<ImageCommandLine, { command: 'squash' }>;

/**
 * @returns the exit status
 * @throws what the library throws, and UsageError where bytes would go to a terminal
 */
export async function runSquashCommand(
  { options, display }: SquashCommand,
  appearance: Appearance,
  world: World,
): Promise<number> {
  if (options.output === '-' && world.stdout.isTTY === true)
    throw new UsageError('an image archive is not for a terminal', {
      hint: 'Redirect standard output, such as "> image.tar", or give --output FILE.tar.',
    });
  return runImageCommand(appearance, world, async ({ emit, signal, paint, tell }) => {
    const { squash } = await world.loadLibrary();
    const output = options.output === '-' ? { output: world.openStdout() } : {};
    const result = await squash({ ...options, ...output, emit, signal });
    for (const line of summarizeSquash(options, result, paint)) tell(line);
    if (display.json) world.stdout.write(`${toJson(result)}\n`);
    return EXIT.ok;
  });
}

/** What was done, as lines. */
export function summarizeSquash(
  options: SquashOptions,
  result: SquashResult,
  paint: Paint,
): readonly string[] {
  const { imageId, names, baseLayers, layersBefore, layersAfter, bytesBefore, bytesAfter } = result;
  const { symbol, tone } = MARKS.succeeded;
  const layers = `${plural(layersBefore, 'layer')} → ${layersAfter}`;
  const bytes = `${formatBytes(bytesBefore)} → ${formatBytes(bytesAfter)} unpacked`;
  const removed = `${plural(result.pathsRemoved, 'path')} removed`;
  const where = typeof options.output === 'string' && options.output !== '-' ? [options.output] : names;
  return [
    `${paint(tone, `${symbol} squashed ${sanitize(options.image)} in ${formatDuration(result.durationMs)}`)}: ` +
      [layers, bytes, removed].join(', '),
    `  ${[...where.map(sanitize), paint('quiet', shortId(imageId))].join('  ')}`,
    `  ${staying(baseLayers, layersBefore, options.from === undefined)}`,
    ...(result.known ? ['  the engine had this image already'] : []),
    ...result.dropped.map((what) => `  note: not kept: ${sanitize(what)}`),
    ...result.replaced.map(({ imageId: id, removed: gone }) =>
      gone
        ? `  removed ${shortId(id)}, which had no other name`
        : `  note: ${shortId(id)} is left without a name: something uses it`,
    ),
  ];
}

function staying(baseLayers: number, layersBefore: number, byDefault: boolean): string {
  const above = layersBefore - baseLayers;
  if (baseLayers > 0) {
    const below = baseLayers === 1 ? 'its lowest layer stayed' : `its ${baseLayers} lowest layers stayed`;
    return `${below}, ${above === 1 ? 'the one above was written anew' : `${above} became one`}`;
  }
  if (above === 1) return 'its only layer was written anew';
  const all = 'all its layers became one';
  return byDefault ? `${all}; "--from BASE" keeps those of a base shared` : all;
}
