/** The command `habitus check-image`. */
import { EXIT } from '../core/errors.js';
import type { CheckedImageSummary, CheckedLayer, ImageCheck } from '../core/image-api.js';
import { formatBytes } from '../report/bytes.js';
import { toJson } from '../report/json.js';
import { sanitize } from '../report/sanitize.js';
import { MARKS, plural } from '../report/style.js';
import type { Appearance } from './appearance.js';
import { runImageCommand } from './image-command.js';
import type { ImageCommandLine } from './image-command-line.js';
import type { World } from './world.js';

type CheckCommand = Extract<ImageCommandLine, { command: 'check-image' }>;

/** @returns the exit status: 1 for an image that is not sound @throws what the library throws */
export async function runCheckImageCommand(
  { options, display }: CheckCommand,
  appearance: Appearance,
  world: World,
): Promise<number> {
  return runImageCommand(appearance, world, async ({ emit, signal }) => {
    const { checkImage } = await world.loadLibrary();
    const check = await checkImage({ ...options, emit, signal });
    const text = display.json ? toJson(check) : describeCheck(check).join('\n');
    world.stdout.write(`${text}\n`);
    return check.sound ? EXIT.ok : EXIT.buildFailed;
  });
}

/** Problems first, then what the archive holds, then the verdict. */
export function describeCheck({ sound, problems, images }: ImageCheck): readonly string[] {
  return [
    ...problems.map((problem) => `problem: ${sanitize(problem)}`),
    ...images.flatMap(describeImage),
    sound
      ? `${MARKS.succeeded.symbol} sound: ${plural(images.length, 'image')}`
      : `${MARKS.failed.symbol} not sound: ${plural(problems.length, 'problem')}`,
  ];
}

function describeImage({ names, configDigest, manifestDigest, layers }: CheckedImageSummary): string[] {
  const total = (key: 'bytes' | 'entries'): number =>
    layers.reduce((sum, layer) => sum + (layer[key] ?? 0), 0);
  const name = names.length === 0 ? 'an image without a name' : names.map(sanitize).join(', ');
  const size = `${formatBytes(total('bytes'))} unpacked`;
  return [
    `${name}: ${plural(layers.length, 'layer')}, ${entries(total('entries'))}, ${size}`,
    `  config    ${configDigest}`,
    ...(manifestDigest === undefined ? [] : [`  manifest  ${manifestDigest}`]),
    ...layers.map(
      (layer, index) => `  ${`layer ${index + 1}`.padEnd(8)}  ${layer.diffId}  ${measure(layer)}`,
    ),
  ];
}

function measure({ bytes, entries: count }: CheckedLayer): string {
  if (bytes === undefined || count === undefined) return 'missing';
  return `${formatBytes(bytes)}, ${entries(count)}`;
}

function entries(count: number): string {
  return `${count} ${count === 1 ? 'entry' : 'entries'}`;
}
