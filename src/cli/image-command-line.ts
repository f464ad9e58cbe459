/** What the command lines of the commands on single images ask for. Pure. */
import type { CheckImageOptions, ProveOptions, SquashOptions } from '../core/image-api.js';
import { UsageError } from '../core/errors.js';
import type { CommandLine, Display } from './command-line.js';
import { given } from './given.js';
import { CHECK_IMAGE, PROVE, SQUASH, type Grammar, type ImageCommand, type ValuesOf } from './grammar.js';
import type { CHECK_FLAGS } from './image-flags.js';
import { readWords } from './program.js';

export type ImageCommandLine =
  | { readonly command: 'squash'; readonly options: SquashOptions; readonly display: ImageDisplay }
  | { readonly command: 'check-image'; readonly options: CheckImageOptions; readonly display: ImageDisplay }
  | { readonly command: 'prove'; readonly options: ProveOptions; readonly display: ImageDisplay };

export type ImageDisplay = Pick<Display, 'progress' | 'pretty' | 'json' | 'logLevel'>;

/** @param argv what follows the command @throws {UsageError} */
export function readImageCommandLine(command: ImageCommand, argv: readonly string[]): CommandLine {
  switch (command) {
    case 'squash': {
      const { flags, operand } = readWords(SQUASH, argv);
      if (flags.help === true) return { command: 'help', of: command };
      if (flags.json === true && flags.output === '-')
        throw new UsageError('the archive and the result cannot both go to standard output', {
          hint: 'Leave out --json, or write the archive to a file.',
        });
      return {
        command,
        options: {
          image: required(SQUASH, operand),
          ...given({ from: flags.from, output: flags.output, tags: flags.tag }),
          engine: engineOf(flags),
        },
        display: displayOf(flags),
      };
    }
    case 'check-image': {
      const { flags, operand } = readWords(CHECK_IMAGE, argv);
      if (flags.help === true) return { command: 'help', of: command };
      return {
        command,
        options: { image: required(CHECK_IMAGE, operand), engine: engineOf(flags) },
        display: displayOf(flags),
      };
    }
    case 'prove': {
      const { flags, operand } = readWords(PROVE, argv);
      if (flags.help === true) return { command: 'help', of: command };
      const image = required(PROVE, operand);
      if (flags.secret === undefined)
        throw new UsageError('it is not said which secrets to search for', {
          hint: 'Name each with --secret env:NAME or --secret file:PATH.',
        });
      return {
        command,
        options: {
          image,
          secrets: flags.secret,
          ...given({ base: flags.base, proofFile: flags.proof }),
          engine: engineOf(flags),
        },
        display: displayOf(flags),
      };
    }
  }
}

function required({ name, usage, operand }: Grammar, word: string | undefined): string {
  if (word !== undefined && word !== '') return word;
  throw new UsageError(`${name} needs an ${operand ?? 'argument'}`, { hint: `Usage: ${name} ${usage}` });
}

type SharedValues = ValuesOf<typeof CHECK_FLAGS>;

function engineOf(flags: SharedValues): NonNullable<SquashOptions['engine']> {
  return given({ host: flags.host, certs: flags.certs, tls: flags['use-tls'] });
}

function displayOf(flags: SharedValues): ImageDisplay {
  return {
    progress: flags.progress ?? 'auto',
    pretty: flags.pretty ?? true,
    json: flags.json ?? false,
    logLevel: flags['log-level'],
  };
}
