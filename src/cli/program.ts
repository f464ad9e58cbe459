/** The commander program: declares the flags, reads them, and lays out the help text. */
import { Command, Option } from 'commander';
import { nearest } from '../config/suggest.js';
import { UsageError } from '../core/errors.js';
import { FLAGS, FLAG_LIST, GROUPS, type FlagName, type FlagValues } from './flags.js';
import { normalizeGoFlags, type KnownFlag } from './go-flags.js';

const HELP_WIDTH = 88;

const DESCRIPTION = 'Builds the Docker images of a build.yml: steps in parallel, each after what it needs.';

const NOTES = `
Flags may be written with one dash or two, values after a space or "=": -d DIR, --d=DIR.
Switches take a value only after "=": --rm=false.

Progress goes to standard error; standard output is for results (--json, --print).
Exit status: 0 when every step succeeded, 1 when one failed, 2 when the command line or
a file is wrong, 3 when no engine answers, 130 or 143 when stopped by a signal.

Examples:
  habitus                          build everything in the current directory
  habitus -d app --uid $BUILD_ID   build app/build.yml for one CI job
  habitus --step api -j 4          build api and what it needs, four steps at once
  habitus --json > result.json     keep the result for another program
`;

/** @throws {UsageError} for unknown flags, wrong values, and arguments that are no flags */
export function readFlags(argv: readonly string[]): FlagValues {
  const program = createProgram();
  const { unknown, operands } = program.parseOptions([...normalizeGoFlags(argv, knownFlags())]);
  const stray = unknown.find((word) => word.startsWith('-') && word !== '-');
  if (stray !== undefined) throw unknownFlag(stray);
  const [operand] = [...operands, ...unknown];
  if (operand !== undefined) throw strayArgument(operand);
  const given = program.opts<Record<string, unknown>>();
  return Object.fromEntries(program.options.map((option) => [option.name(), given[option.attributeName()]]));
}

export function helpText(): string {
  return `${createProgram().helpInformation().trimEnd()}\n${NOTES}`;
}

function createProgram(): Command {
  const program = new Command('habitus')
    .usage('[-d DIR] [-f FILE] [flags]')
    .description(DESCRIPTION)
    .helpOption(false)
    .exitOverride()
    .configureHelp({
      helpWidth: HELP_WIDTH,
      optionTerm: (option) => termOf(option.name() as FlagName),
      optionDescription: (option) => option.description,
    });
  for (const [name, flag] of FLAG_LIST) {
    const option = new Option(`--${name} <value>`, flag.help)
      .helpGroup(GROUPS[flag.group])
      .argParser((text, previous: unknown) => flag.add(spelling(name), text, previous));
    // To commander `--no-cache` would be the opposite of a flag `--cache`.
    option.negate = false;
    program.addOption(option);
  }
  return program;
}

/** `-d DIR`, `-j, --jobs N`, `--no-cache`. */
function termOf(name: FlagName): string {
  const { short, metavar } = describe(name);
  const names = short === undefined ? spelling(name) : `-${short}, ${spelling(name)}`;
  return metavar === undefined ? names : `${names} ${metavar}`;
}

function describe(name: FlagName): { readonly short?: string; readonly metavar?: string } {
  return FLAGS[name];
}

/** A flag as messages write it. */
function spelling(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

function knownFlags(): ReadonlyMap<string, KnownFlag> {
  return new Map(
    FLAG_LIST.flatMap(([name, { short, metavar }]) =>
      [name, ...(short === undefined ? [] : [short])].map((written) => [written, { name, metavar }] as const),
    ),
  );
}

function unknownFlag(word: string): UsageError {
  const written = word.replace(/=.*$/s, '');
  const name = written.replace(/^-+/, '');
  // Any letter is near any other: no guess.
  const names = [...knownFlags().keys()].filter((known) => known.length > 1);
  const guess = name.length > 1 ? nearest(name, names) : undefined;
  const list = '"habitus --help" lists all flags.';
  return new UsageError(`unknown flag ${JSON.stringify(written)}`, {
    hint: guess === undefined ? list : `Did you mean --${guess}? ${list}`,
  });
}

function strayArgument(word: string): UsageError {
  const message = `unexpected argument ${JSON.stringify(word)}: everything is said with flags`;
  if (/^(?:true|false|t|f|0|1)$/i.test(word)) {
    return new UsageError(message, { hint: `Join a switch and its value with "=", such as --rm=${word}.` });
  }
  return new UsageError(message, {
    hint: `Use "-d ${word}" for a work directory, "--step ${word}" for one step of the build file.`,
  });
}
