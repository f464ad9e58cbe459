/** The commander program: declares the flags of a command and reads them. */
import { Command, Option } from 'commander';
import { nearest } from '../config/suggest.js';
import { UsageError } from '../core/errors.js';
import { normalizeGoFlags, type KnownFlag } from './go-flags.js';
import { BUILD, SUBCOMMANDS, type Subcommand, type Flags, type Grammar, type ValuesOf } from './grammar.js';
import { spelling } from './help.js';

export interface Words<F extends Flags> {
  readonly flags: ValuesOf<F>;
  /** At most one, and none where the command takes none. */
  readonly operand: string | undefined;
}

/** @throws {UsageError} for unknown flags, wrong values, and words too many */
export function readWords<F extends Flags>(grammar: Grammar<F>, argv: readonly string[]): Words<F> {
  const program = createProgram(grammar);
  const { unknown, operands } = program.parseOptions([...normalizeGoFlags(argv, knownFlags(grammar))]);
  const stray = unknown.find((word) => word.startsWith('-') && word !== '-');
  if (stray !== undefined) throw unknownFlag(grammar, stray);
  const words = [...operands, ...unknown];
  const [operand] = words;
  const extra = grammar.operand === undefined ? operand : words[1];
  if (extra !== undefined) throw strayArgument(grammar, extra);
  const given = program.opts<Record<string, unknown>>();
  const flags = program.options.map((option) => [option.name(), given[option.attributeName()]] as const);
  return { flags: Object.fromEntries(flags) as ValuesOf<F>, operand };
}

function createProgram({ name, flags }: Grammar): Command {
  const program = new Command(name).helpOption(false).exitOverride();
  for (const [flagName, flag] of Object.entries(flags)) {
    const option = new Option(`--${flagName} <value>`, flag.help).argParser((text, previous: unknown) =>
      flag.add(spelling(flagName), text, previous),
    );
    // To commander `--no-cache` would be the opposite of a flag `--cache`.
    option.negate = false;
    program.addOption(option);
  }
  return program;
}

function knownFlags({ flags }: Grammar): ReadonlyMap<string, KnownFlag> {
  return new Map(
    Object.entries(flags).flatMap(([name, { short, metavar }]) =>
      [name, ...(short === undefined ? [] : [short])].map((written) => [written, { name, metavar }] as const),
    ),
  );
}

function unknownFlag(grammar: Grammar, word: string): UsageError {
  const written = word.replace(/=.*$/s, '');
  const name = written.replace(/^-+/, '');
  // Any letter is near any other: no guess.
  const names = [...knownFlags(grammar).keys()].filter((known) => known.length > 1);
  const guess = name.length > 1 ? nearest(name, names) : undefined;
  const list = `"${grammar.name} --help" lists all flags.`;
  return new UsageError(`unknown flag ${JSON.stringify(written)}`, {
    hint: guess === undefined ? list : `Did you mean --${guess}? ${list}`,
  });
}

function isSubcommand(word: string): word is Subcommand {
  return Object.hasOwn(SUBCOMMANDS, word);
}

function strayArgument(grammar: Grammar, word: string): UsageError {
  if (grammar.operand !== undefined)
    return new UsageError(`unexpected argument ${JSON.stringify(word)}: one ${grammar.operand} at a time`, {
      hint: `Usage: ${grammar.name} ${grammar.usage}`,
    });
  const message = `unexpected argument ${JSON.stringify(word)}: everything is said with flags`;
  if (grammar.name !== BUILD.name)
    return new UsageError(message, { hint: `Usage: ${grammar.name} ${grammar.usage}` });
  if (/^(?:true|false|t|f|0|1)$/i.test(word)) {
    return new UsageError(message, { hint: `Join a switch and its value with "=", such as --rm=${word}.` });
  }
  const command = isSubcommand(word) ? word : nearest(word, Object.keys(SUBCOMMANDS));
  if (command !== undefined && isSubcommand(command)) {
    const { name, operand } = SUBCOMMANDS[command];
    const line = operand === undefined ? name : `${name} ${operand}`;
    return new UsageError(`unexpected argument ${JSON.stringify(word)}`, {
      hint: `Did you mean "${line}"? The command comes first, flags after it.`,
    });
  }
  return new UsageError(message, {
    hint: `Use "-d ${word}" for a work directory, "--step ${word}" for one step of the build file.`,
  });
}
