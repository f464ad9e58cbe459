/** What in a Dockerfile only BuildKit understands: the classic builder refuses it or, worse, passes over it. */
import { globalArgs } from './args.js';
import { textOf } from './flags.js';
import { parseDockerfile, type Instruction } from './instructions.js';
import { PLATFORM_ARGS } from './platform.js';

export interface BuildkitFeature {
  /** As users write it, e.g. `RUN --mount`, `COPY <<EOF`, `FROM $TARGETARCH`. */
  readonly feature: string;
  /** Of the instruction; from 1. */
  readonly line: number;
}

/** Flags that the classic builder knows too; `from` of ADD is known to none, so that no advice would help. */
const CLASSIC_FLAGS: ReadonlyMap<string, readonly string[]> = new Map([
  ['run', []],
  ['copy', ['--from', '--chown']],
  ['add', ['--from', '--chown']],
]);

/**
 * In the order of the file; a feature counts once an instruction. ONBUILD triggers do not count: they matter to the builds
 * in which they fire.
 * @throws DockerfileSyntaxError
 */
export function buildkitFeatures(content: Buffer): readonly BuildkitFeature[] {
  const dockerfile = parseDockerfile(content);
  const defaults = globalArgs(dockerfile, {}, new Map());
  return dockerfile.instructions.flatMap((instruction) => {
    const { line } = dockerfile.source.position(instruction.line.offsetOf(instruction.start));
    const features = new Set(featuresOf(instruction, defaults));
    return Array.from(features, (feature) => ({ feature, line }));
  });
}

function featuresOf(instruction: Instruction, defaults: ReadonlyMap<string, string>): readonly string[] {
  const keyword = instruction.keyword.toUpperCase();
  if (instruction.keyword === 'from') {
    const used = Array.from(instruction.line.text.matchAll(/\$\{?([A-Z]+)/g), (match) => match[1] ?? '');
    return used
      .filter((name) => PLATFORM_ARGS.has(name) && !defaults.has(name))
      .map((name) => `FROM $${name}`);
  }
  const known = CLASSIC_FLAGS.get(instruction.keyword);
  const flags = instruction.flags.map((flag) => textOf(flag).replace(/=.*$/s, ''));
  return [
    ...flags.filter((flag) => known?.includes(flag) === false).map((flag) => `${keyword} ${flag}`),
    ...(known !== undefined && instruction.heredocs > 0 ? [`${keyword} <<EOF`] : []),
  ];
}
