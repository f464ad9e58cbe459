/** The grammars of the program's commands: their words, and how each is described in its help text. */
import type { Flag, Group } from './flag.js';
import { FLAGS, GROUPS } from './flags.js';
import { CHECK_FLAGS, PROVE_FLAGS, SQUASH_FLAGS } from './image-flags.js';
import { GC_FLAGS, SESSIONS_FLAGS } from './session-flags.js';

export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The flags that were given, by name. */
export type ValuesOf<F extends Flags> = {
  readonly [Name in keyof F]?: F[Name] extends Flag<infer Value> ? Value : never;
};

export interface Grammar<F extends Flags = Flags> {
  /** As it is called, e.g. `habitus squash`. */
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly description: string;
  readonly groups: Readonly<Record<Group, string>>;
  readonly flags: F;
  /** What it takes beside flags, exactly once; absent: nothing. */
  readonly operand?: string;
  /** After the flags, as it is printed. */
  readonly notes: string;
}

export const BUILD: Grammar<typeof FLAGS> = {
  name: 'habitus',
  usage: '[-d DIR] [-f FILE] [flags]',
  description: 'Builds the Docker images of a build.yml: steps in parallel, each after what it needs.',
  groups: GROUPS,
  flags: FLAGS,
  notes: `
Flags may be written with one dash or two, values after a space or "=": -d DIR, --d=DIR.
Switches take a value only after "=": --rm=false.

Progress goes to standard error; standard output is for results (--json, --print).
Exit status: 0 when every step succeeded, 1 when one failed or time was up, 2 when the
command line or a file is wrong, 3 when no engine answers, 129, 130 or 143 when stopped
by a signal.

Other commands, each with a --help of its own:
  habitus squash IMAGE             make one layer of an image's layers
  habitus check-image IMAGE        compute every digest and size of an image anew
  habitus prove IMAGE              search an image for secrets
  habitus sessions                 list what builds hold on the engine
  habitus gc                       remove what dead builds have left there

Examples:
  habitus                          build everything in the current directory
  habitus -d app --uid $BUILD_ID   build app/build.yml for one CI job
  habitus --step api -j 4          build api and what it needs, four steps at once
  habitus --json > result.json     keep the result for another program
`,
};

const IMAGE_NOTE = `
IMAGE is a name or an ID on the engine, or the path of a tar that "docker save" wrote
or that holds an OCI layout. A path begins with "/", "./" or "../", or ends in .tar,
.tar.gz or .tgz.`;

export const SQUASH: Grammar<typeof SQUASH_FLAGS> = {
  name: 'habitus squash',
  usage: 'IMAGE [--from BASE] [-t NAME] [--output FILE.tar]',
  description:
    'Makes one layer of all layers of an image, or of those above a base. What was deleted or overwritten is in no layer any more.',
  groups: { ...GROUPS, build: 'What to squash:' },
  flags: SQUASH_FLAGS,
  operand: 'IMAGE',
  notes: `${IMAGE_NOTE}

Without -t and --output the image's own name moves to the result. An image that loses
its last name by that is removed, unless something uses it.
Exit status: 0 when done, 1 when there is no room or the output breaks, 2 when the
command line or the image is wrong, 3 when no engine answers, 129, 130 or 143 when
stopped by a signal. Unless it is 0, nothing has changed and nothing is left.

Examples:
  habitus squash app                         one layer, still named app
  habitus squash app --from debian:12        debian's layers stay shared
  habitus squash app --from 2 -t app:small   the two lowest layers stay, app too
  habitus squash in.tar --output out.tar     without an engine
  habitus squash app --output - | gzip > app.tar.gz
`,
};

export const CHECK_IMAGE: Grammar<typeof CHECK_FLAGS> = {
  name: 'habitus check-image',
  usage: 'IMAGE [flags]',
  description:
    'Computes every digest and size of an image anew, and reports all that engines refuse or quietly get wrong.',
  groups: GROUPS,
  flags: CHECK_FLAGS,
  operand: 'IMAGE',
  notes: `${IMAGE_NOTE}

Exit status: 0 when the image is sound, 1 when it is not, 2 when there is none, 3 when
no engine answers, 129, 130 or 143 when stopped by a signal.

Examples:
  habitus check-image app
  habitus check-image ./app.tar --json
`,
};

export const PROVE: Grammar<typeof PROVE_FLAGS> = {
  name: 'habitus prove',
  usage: 'IMAGE --secret SOURCE [--base BASE] [--proof FILE]',
  description:
    'Searches all layers, the config and the history of an image for the values of secrets, in many encodings, also inside archives.',
  groups: { ...GROUPS, build: 'What to prove:' },
  flags: PROVE_FLAGS,
  operand: 'IMAGE',
  notes: `${IMAGE_NOTE}

Values are read from the environment or a file, and shown nowhere.
Exit status: 0 when nothing was found, 1 when something was, 2 when the command line, a
secret or the image is missing or wrong, 3 when no engine answers, 129, 130 or 143
when stopped by a signal.

Examples:
  habitus prove app --secret env:NPM_TOKEN
  habitus prove ./app.tar --secret file:$HOME/.ssh/id_ed25519 --json
  habitus prove app --base debian:12 --secret env:NPM_TOKEN --proof proof.json
`,
};

export const SESSIONS: Grammar<typeof SESSIONS_FLAGS> = {
  name: 'habitus sessions',
  usage: '[flags]',
  description:
    'Lists the sessions that hold something on the engine, each one build, and whether it is running.',
  groups: GROUPS,
  flags: SESSIONS_FLAGS,
  notes: `
State: running, dead, or unknown for a build of another host or container, whose process
cannot be seen from here.
Exit status: 0, 2 when the command line is wrong, 3 when no engine answers, 129, 130 or
143 when stopped by a signal.

Examples:
  habitus sessions
  habitus sessions --json
`,
};

export const GC: Grammar<typeof GC_FLAGS> = {
  name: 'habitus gc',
  usage: '[--older-than DURATION] [--dry-run]',
  description:
    'Removes what dead builds have left on the engine, and ends what they had begun: names that were being given are all given, or none.',
  groups: { ...GROUPS, build: 'What to collect:' },
  flags: GC_FLAGS,
  notes: `
A build that runs is left alone. A build of this host is dead when its process is; one of
another host or container when it began long ago.
Every build does this by itself for dead ones of its own host.
Exit status: 0 when done, 1 when something could not be removed, 2 when the command line
is wrong, 3 when no engine answers, 129, 130 or 143 when stopped by a signal.

Examples:
  habitus gc --dry-run
  habitus gc --older-than 2h
`,
};

/** By the first word of the command line; without one of these it is a build. */
export const IMAGE_COMMANDS = { squash: SQUASH, 'check-image': CHECK_IMAGE, prove: PROVE } as const;
export const SESSION_COMMANDS = { sessions: SESSIONS, gc: GC } as const;
export const SUBCOMMANDS = { ...IMAGE_COMMANDS, ...SESSION_COMMANDS } as const;
export type ImageCommand = keyof typeof IMAGE_COMMANDS;
export type SessionCommand = keyof typeof SESSION_COMMANDS;
export type Subcommand = keyof typeof SUBCOMMANDS;
