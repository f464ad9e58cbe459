/** The command `habitus prove`. */
import { EXIT } from '../core/errors.js';
import type { Finding, ProveOptions, ProveResult } from '../core/image-api.js';
import { formatBytes } from '../report/bytes.js';
import { toJson } from '../report/json.js';
import { sanitize } from '../report/sanitize.js';
import { MARKS, plural } from '../report/style.js';
import type { Appearance } from './appearance.js';
import { runImageCommand } from './image-command.js';
import type { ImageCommandLine } from './image-command-line.js';
import type { World } from './world.js';

type ProveCommand = Extract<ImageCommandLine, { command: 'prove' }>;

/** @returns the exit status: 1 when a secret was found @throws what the library throws */
export async function runProveCommand(
  { options, display }: ProveCommand,
  appearance: Appearance,
  world: World,
): Promise<number> {
  return runImageCommand(appearance, world, async ({ emit, signal }) => {
    const { prove } = await world.loadLibrary();
    const result = await prove({ ...options, emit, signal });
    const text = display.json ? toJson(result) : describeProof(options, result).join('\n');
    world.stdout.write(`${text}\n`);
    return result.clean ? EXIT.ok : EXIT.buildFailed;
  });
}

/** What was found, then what stays open, then the verdict. */
export function describeProof({ secrets }: ProveOptions, result: ProveResult): readonly string[] {
  const { clean, findings, unproven, layers, limits, bytes } = result;
  const proven = new Set(secrets.map(({ name }) => name)).size - unproven.length;
  const searched = `${plural(layers.length, 'layer')}, ${formatBytes(bytes)} searched`;
  return [
    ...findings.flatMap(describeFinding),
    ...unproven.map((name) => `not proven: ${sanitize(name)} is too short to be told from chance`),
    ...limits.map((limit) => `not searched: ${sanitize(limit)}`),
    clean
      ? `${MARKS.succeeded.symbol} clean: no trace of ${plural(proven, 'secret')} (${searched})`
      : `${MARKS.failed.symbol} not clean: ${plural(findings.length, 'trace')} of secrets (${searched})`,
  ];
}

function describeFinding({ secret, encoding, kind, layer, instruction, path }: Finding): readonly string[] {
  return [
    `found: ${sanitize(secret)} (${encoding}) in ${[kind, ...path.map(sanitize)].join(' › ')}`,
    ...(layer === undefined ? [] : [`  layer  ${layer}`]),
    ...(instruction === undefined ? [] : [`  by     ${sanitize(instruction)}`]),
  ];
}
