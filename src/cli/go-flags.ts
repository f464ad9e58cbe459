/**
 * Flags in the style of Go's `flag` package (one dash or two, `-flag=value`, `-flag value`) made into the one
 * spelling `--flag=value`. Rules: https://pkg.go.dev/flag#hdr-Command_line_flag_syntax
 */
import { UsageError } from '../core/errors.js';

export interface KnownFlag {
  /** The name it gets, without dashes. */
  readonly name: string;
  /** Stands for its value in messages; absent for a switch. */
  readonly metavar?: string | undefined;
}

/**
 * Pure. Unknown flags, arguments that are no flags, and all after `--` pass as they are.
 * Other than Go, it does not take a known flag for the value of the one before it.
 * @param known by every name that may be written, one-letter names included
 * @throws {UsageError} when a flag that needs a value has none
 */
export function normalizeGoFlags(
  argv: readonly string[],
  known: ReadonlyMap<string, KnownFlag>,
): readonly string[] {
  const result: string[] = [];
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') return [...result, word, ...rest];
    const written = readWord(word, known);
    if (written === undefined) {
      result.push(word);
      continue;
    }
    const { flag, value } = written;
    if (value !== undefined) result.push(`--${flag.name}=${value}`);
    else if (flag.metavar === undefined) result.push(`--${flag.name}=true`);
    else result.push(`--${flag.name}=${nextValue(word, flag.metavar, rest, known)}`);
  }
  return result;
}

interface Written {
  readonly flag: KnownFlag;
  /** What stands behind `=` or, as in `-j4`, behind the letter. */
  readonly value: string | undefined;
}

function readWord(word: string, known: ReadonlyMap<string, KnownFlag>): Written | undefined {
  const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
  const name = match?.[1];
  if (name === undefined) return undefined;
  const flag = known.get(name);
  if (flag !== undefined) return { flag, value: match?.[2] };
  // `-j4`, as make and others take it.
  const [, letter = '', digits] = /^-([a-z])(\d+)$/.exec(word) ?? [];
  const lettered = known.get(letter);
  return lettered?.metavar === undefined ? undefined : { flag: lettered, value: digits };
}

function nextValue(
  word: string,
  metavar: string,
  rest: string[],
  known: ReadonlyMap<string, KnownFlag>,
): string {
  const next = rest.shift();
  const hint = `Write ${word} ${metavar}, or ${word}=${metavar}.`;
  if (next === undefined) throw new UsageError(`${word} needs a value`, { hint });
  if (readWord(next, known) !== undefined) {
    throw new UsageError(`${word} needs a value, but the flag ${next} follows`, { hint });
  }
  return next;
}
