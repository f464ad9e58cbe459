/** The flags of the commands on single images. */
import { many, single } from './flag.js';
import { FLAGS } from './flags.js';
import { anyText, secretSource } from './values.js';

const { progress, pretty, json, help, host, certs, 'use-tls': useTls } = FLAGS;
const logLevel = { ...FLAGS['log-level'], help: 'debug shows the stack of an error that nobody expected' };

const SHOWN = { progress, pretty, json, 'log-level': logLevel, help } as const;
const ENGINE = { host, certs, 'use-tls': useTls } as const;

export const SQUASH_FLAGS = {
  from: single('BASE', anyText, {
    group: 'build',
    help: 'what stays as it is: a base image (also a tar), a number of layers, or scratch for nothing (default: scratch)',
  }),
  tag: many('NAME', anyText, {
    group: 'build',
    short: 't',
    help: 'name of the result; repeatable (default: the name of IMAGE)',
  }),
  output: single('FILE', anyText, {
    group: 'build',
    short: 'o',
    help: 'write an archive and leave the engine as it is; - for standard output',
  }),
  ...SHOWN,
  ...ENGINE,
} as const;

export const PROVE_FLAGS = {
  secret: many('SOURCE', secretSource, {
    group: 'build',
    help: 'env:NAME or file:PATH, what to search for; repeatable',
  }),
  base: single('BASE', anyText, {
    group: 'build',
    help: 'what is not searched: a base image (also a tar), or a number of layers (default: all is searched)',
  }),
  proof: single('FILE', anyText, { group: 'build', help: 'write what was searched and found, as JSON' }),
  ...SHOWN,
  ...ENGINE,
} as const;

export const CHECK_FLAGS = { ...SHOWN, ...ENGINE } as const;
