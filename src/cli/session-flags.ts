/** The flags of the commands on sessions. */
import { single, toggle } from './flag.js';
import { FLAGS } from './flags.js';
import { CHECK_FLAGS } from './image-flags.js';
import { duration } from './values.js';

const { pretty, json, help, host, certs, 'use-tls': useTls } = FLAGS;
const { 'log-level': logLevel } = CHECK_FLAGS;

export const SESSIONS_FLAGS = {
  pretty,
  json,
  'log-level': logLevel,
  help,
  host,
  certs,
  'use-tls': useTls,
} as const;

export const GC_FLAGS = {
  'older-than': single('DURATION', duration, {
    group: 'build',
    help: 'take a session of another host for dead when it began longer ago (default: 1d)',
  }),
  'dry-run': toggle({ group: 'build', help: 'say what would be removed, and remove nothing' }),
  ...SESSIONS_FLAGS,
} as const;
