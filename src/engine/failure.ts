/** A failed build of either builder as users read it: which instruction, why, and what to do next. */
import { StepError } from '../core/errors.js';
import type { Failure } from '../core/events.js';
import { shortInstruction } from '../core/short-instruction.js';
import { NO_SPACE } from './explain.js';

export interface FailedBuild {
  /** As written in the Dockerfile, e.g. `RUN make`. */
  readonly instruction?: string | undefined;
  /** The builder's own sentence. */
  readonly reason: string;
  readonly exitCode?: number | undefined;
  /** Last lines of the failed instruction's output, oldest first. */
  readonly output: readonly string[];
}

export function buildError(failed: FailedBuild, cause?: unknown): StepError {
  const { instruction, exitCode, output } = failed;
  const reason = clean(failed.reason);
  const hint = hintFor(reason, exitCode, instruction);
  const failure: Failure = {
    message: sentence(instruction, reason, exitCode),
    ...(instruction !== undefined && { instruction }),
    ...(exitCode !== undefined && { exitCode }),
    output,
    ...(hint !== undefined && { hint }),
  };
  return new StepError(failure, cause);
}

function sentence(instruction: string | undefined, reason: string, exitCode: number | undefined): string {
  if (exitCode !== undefined)
    return `${shortInstruction(instruction ?? 'A command')} exited with ${exitCode}`;
  return instruction === undefined ? reason : `${shortInstruction(instruction)} failed: ${reason}`;
}

/** Builders wrap reasons in layers of their own plumbing. */
const PLUMBING =
  /^(?:failed to solve(?: with frontend [\w.-]+)?|failed to build LLB|failed to compute cache key|failed to create LLB definition|rpc error: code = \w+ desc =|error from sender|failed to load cache key|COPY failed|ADD failed|executor failed running .*?|failed to read dockerfile|failed to calculate checksum of ref [^:]*(?:::[^:]*)?):?\s+/;

/** Images of a session are named as of a registry that nobody runs: an engine asks it only where it has the image no more. */
const GONE = /^(?:(127\.0\.0\.1:1\/\S+: ))?[\s\S]*dial tcp 127\.0\.0\.1:1: connect: connection refused/;

function clean(reason: string): string {
  const gone = GONE.exec(reason);
  if (gone !== null) return `${gone[1] ?? ''}the image is gone from the engine`;
  let rest = reason.trim();
  for (let shorter = rest.replace(PLUMBING, ''); shorter !== rest; shorter = rest.replace(PLUMBING, ''))
    rest = shorter;
  return rest.replace(/\.$/, '') || 'the builder gave no reason';
}

/** `exit code: 2` in BuildKit's sentence; classic tells the number apart. */
export function exitCodeOf(reason: string): number | undefined {
  const found = /(?:exit code: |returned a non-zero code: )(\d+)\s*$/.exec(reason.trim());
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

function hintFor(reason: string, exitCode: number | undefined, instruction = ''): string | undefined {
  switch (exitCode) {
    case 126:
      return 'Exit status 126 means that the program may not be executed: check its mode and its interpreter line.';
    case 127:
      return 'Exit status 127 means that a program was not found: is it installed in this stage, and in PATH?';
    case 137:
      return 'Exit status 137 means that the command was killed, often because memory ran out: see --docker-memory.';
    case undefined:
      return HINTS.find(([pattern]) => pattern.test(`${instruction}: ${reason}`))?.[1];
    default:
      return undefined;
  }
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  // BuildKit's sentences, of 20.10 and of 28.5.
  [
    /secret .+?(?: not found)?: not found$/i,
    'Name the secret under `secrets` of this step in the build file, as the `id` of the mount calls it.',
  ],
  [
    /no SSH key .* forwarded|this step has no ssh /i,
    'Name the key or agent under `ssh` of this step in the build file, as the `id` of the mount calls it.',
  ],
  [
    /exec: .*(?:no such file|not found)/i,
    'The program was not found in the image: is it installed in this stage, and in PATH?',
  ],
  [NO_SPACE.pattern, NO_SPACE.hint],
  [
    /the image is gone from the engine$/,
    'Does something on this engine remove images, e.g. `docker image prune -a`?',
  ],
  [
    /pull access denied|unauthorized|authentication required|denied: requested access/i,
    'Check the name of the image; if it is private, log in with `docker login`.',
  ],
  [/manifest unknown|manifest for .* not found/i, 'Check the name and the tag of the image.'],
  [
    /^(?:COPY|ADD) (?:--\S+ )*--from=.*(?:not found|no such file)/is,
    'Check the path in the image or stage that --from names.',
  ],
  [
    /file not found in build context|^(?:COPY|ADD) .*(?:not found|no such file)/is,
    'Check the name, that it lies inside the context, and that no line of .dockerignore leaves it out.',
  ],
  [
    /dial tcp|i\/o timeout|TLS handshake|lookup .* (?:no such host|server misbehaving)/i,
    "The engine could not reach the registry: check the engine's network and proxy.",
  ],
  [
    /dockerfile parse error|unknown instruction|Dockerfile.*line \d+/i,
    'Correct the Dockerfile at that line.',
  ],
  [
    /target stage .* (?:could not be found|not found)|failed to reach build target/i,
    'Check `target` in the build file against the stage names (`FROM … AS name`) of the Dockerfile.',
  ],
];
