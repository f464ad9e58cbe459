/** What the command lines of the commands on sessions ask for. Pure. */
import type { GcOptions, SessionsOptions } from '../core/session-api.js';
import type { CommandLine, Display } from './command-line.js';
import { given } from './given.js';
import { GC, SESSIONS, type SessionCommand, type ValuesOf } from './grammar.js';
import { readWords } from './program.js';
import type { SESSIONS_FLAGS } from './session-flags.js';

export type SessionCommandLine =
  | { readonly command: 'sessions'; readonly options: SessionsOptions; readonly display: SessionDisplay }
  | { readonly command: 'gc'; readonly options: GcOptions; readonly display: SessionDisplay };

export type SessionDisplay = Pick<Display, 'progress' | 'pretty' | 'json' | 'logLevel'>;

/** @param argv what follows the command @throws {UsageError} */
export function readSessionCommandLine(command: SessionCommand, argv: readonly string[]): CommandLine {
  switch (command) {
    case 'sessions': {
      const { flags } = readWords(SESSIONS, argv);
      if (flags.help === true) return { command: 'help', of: command };
      return { command, options: { engine: engineOf(flags) }, display: displayOf(flags) };
    }
    case 'gc': {
      const { flags } = readWords(GC, argv);
      if (flags.help === true) return { command: 'help', of: command };
      return {
        command,
        options: {
          ...given({ olderThanMs: flags['older-than'], dryRun: flags['dry-run'] }),
          engine: engineOf(flags),
        },
        display: displayOf(flags),
      };
    }
  }
}

type SharedValues = ValuesOf<typeof SESSIONS_FLAGS>;

function engineOf(flags: SharedValues): NonNullable<SessionsOptions['engine']> {
  return given({ host: flags.host, certs: flags.certs, tls: flags['use-tls'] });
}

function displayOf(flags: SharedValues): SessionDisplay {
  return {
    progress: 'auto',
    pretty: flags.pretty ?? true,
    json: flags.json ?? false,
    logLevel: flags['log-level'],
  };
}
