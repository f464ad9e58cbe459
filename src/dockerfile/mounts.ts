/** `RUN --mount=type=secret` and `type=ssh`: what a Dockerfile asks for, and rebuilding when a secret has changed. */
import { createHash } from 'node:crypto';
import { textOf, type Flag, type Glyph } from './flags.js';
import { byteRange, parseDockerfile, type Dockerfile, type Instruction } from './instructions.js';
import { mountFields, type MountField } from './mount.js';
import type { Replacement } from './rewrite.js';
import { findStage, readStages } from './stages.js';

/** One mount of RUN that needs something of whoever builds. */
interface Mount {
  /** As BuildKit asks for it; `undefined` where a variable decides. */
  readonly id: string | undefined;
  /** Whether the build fails without; else RUN goes without. */
  readonly required: boolean;
  /** Of the mount; from 1. */
  readonly line: number;
}

export interface SecretMount extends Mount {
  /** The id with its variables, if it has any. */
  readonly writtenId: string;
  /** Whether the option `target` says where the file is. */
  readonly hasTarget: boolean;
  /** Whether it is given as a variable. */
  readonly hasEnv: boolean;
  /** Byte offset behind the id as written; absent where the name of the target is the id. */
  readonly idEnd?: number;
  /** Byte offset behind all options; where another option can be added. */
  readonly end: number;
  /** Whether an option can be added right behind the id, too: it does not stand in quotes of CSV. */
  readonly openId: boolean;
}

export type SshMount = Mount;

export interface MountOptions {
  /** The stage to stop at: stages behind it do not count. */
  readonly target?: string;
}

/** In the order of the file. ONBUILD triggers do not count. @throws DockerfileSyntaxError */
export function secretMounts(content: Buffer, options: MountOptions = {}): readonly SecretMount[] {
  return mountsOf(content, options).flatMap((mount) => {
    const { instruction, flag, fields } = mount;
    if (typeOf(fields) !== 'secret') return [];
    const target = textOf(fields.get('target')?.value ?? []);
    const written = [fields.get('source'), fields.get('id')].find((field) => (field?.value ?? []).length > 0);
    const id = written === undefined ? baseName(target) : textOf(written.value ?? []);
    // No builder takes such a mount.
    if (id === '') return [];
    return [
      {
        ...about(mount),
        id: literal(id),
        writtenId: id,
        hasTarget: target !== '',
        hasEnv: fields.has('env'),
        ...(written !== undefined && { idEnd: offsetBehind(instruction, written.value ?? []) }),
        end: offsetBehind(instruction, flag),
        openId: written?.quoted === false,
      },
    ];
  });
}

/** In the order of the file. ONBUILD triggers do not count. @throws DockerfileSyntaxError */
export function sshMounts(content: Buffer, options: MountOptions = {}): readonly SshMount[] {
  return mountsOf(content, options).flatMap((mount) => {
    if (typeOf(mount.fields) !== 'ssh') return [];
    const id = textOf(mount.fields.get('id')?.value ?? []) || 'default';
    return [{ ...about(mount), id: literal(id) }];
  });
}

/** Secrets that the builder takes for others when their values change. */
export interface DigestedMounts {
  /** Disjoint; they only insert. */
  readonly replacements: readonly Replacement[];
  /** Which new id stands for which secret: each must be served besides the ids as written. */
  readonly ids: ReadonlyMap<string, string>;
  /** What was inserted, longest first: left out of a builder's messages, it leaves them as the user wrote the file. */
  readonly inserted: readonly string[];
}

/**
 * Make the digest of its secret a part of each mount's id. BuildKit's cache knows the id and not the value, so that a
 * changed secret runs RUN anew and an unchanged one does not. Where RUN finds the secret stays.
 *
 * Where a variable decides which secret it is, the digests of all count. Ids of unusual characters stay as they are.
 * @param digests by the secret's name: letters and digits
 */
export function digestSecretMounts(content: Buffer, digests: ReadonlyMap<string, string>): DigestedMounts {
  const ids = new Map<string, string>();
  const replacements = secretMounts(content).flatMap((mount) => {
    const { id, writtenId } = mount;
    const names = id === undefined ? [...digests.keys()] : [id];
    const digest = id === undefined ? digestOfAll(digests) : digests.get(id);
    if (digest === undefined || !PLAIN.test(writtenId)) return [];
    for (const name of names) ids.set(`${name}.${digest}`, name);
    return insertions(mount, digest);
  });
  const inserted = new Set(replacements.map(({ text }) => text));
  return { replacements, ids, inserted: [...inserted].sort((one, other) => other.length - one.length) };
}

function digestOfAll(digests: ReadonlyMap<string, string>): string {
  return createHash('sha256')
    .update(JSON.stringify([...digests].sort(([one], [other]) => (one < other ? -1 : 1))))
    .digest('hex');
}

/** Right behind each other where they can be: a text that begins with the digest can be told from the user's own. */
function insertions(mount: SecretMount, digest: string): readonly Replacement[] {
  const { writtenId, idEnd, end, openId } = mount;
  const insert = (at: number, text: string): Replacement => ({ start: at, end: at, text });
  if (idEnd === undefined) return [insert(end, `,id=${writtenId}.${digest}`)];
  const target = mount.hasTarget || mount.hasEnv ? '' : `,target=/run/secrets/${baseName(writtenId)}`;
  if (openId || target === '') return [insert(idEnd, `.${digest}${target}`)];
  return [insert(idEnd, `.${digest}`), insert(end, target)];
}

/** Neither quoted nor escaped in a flag, and no part of CSV; variables only in their plain forms. */
const PLAIN = /^(?:[\w.@%+:/~-]|\$\w+|\$\{\w+\})+$/;

interface FoundMount {
  readonly dockerfile: Dockerfile;
  readonly instruction: Instruction;
  /** The options of the mount. */
  readonly flag: Flag;
  /** By one of its names; the last one of a name, as in BuildKit. */
  readonly fields: ReadonlyMap<string, MountField>;
}

const FLAG = '--mount=';
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['src', 'source'],
  ['dst', 'target'],
  ['destination', 'target'],
]);

function mountsOf(content: Buffer, { target }: MountOptions): readonly FoundMount[] {
  const dockerfile = parseDockerfile(content);
  const stages = readStages(dockerfile);
  const counted = stages.slice(0, findStage(stages, target) + 1);
  return counted
    .flatMap(({ instructions }) => instructions.filter(({ keyword }) => keyword === 'run'))
    .flatMap((instruction) =>
      instruction.flags
        .filter((flag) => textOf(flag.slice(0, FLAG.length)) === FLAG)
        .map((flag) => flag.slice(FLAG.length))
        .map((flag) => ({ dockerfile, instruction, flag, fields: fieldsByName(flag) })),
    );
}

function fieldsByName(flag: Flag): FoundMount['fields'] {
  return new Map(mountFields(flag).map((field) => [SYNONYMS.get(field.name) ?? field.name, field]));
}

function typeOf(fields: FoundMount['fields']): string {
  return textOf(fields.get('type')?.value ?? []).toLowerCase();
}

function about({ dockerfile, instruction, flag, fields }: FoundMount): Pick<Mount, 'required' | 'line'> {
  const required = fields.get('required');
  // As Go's ParseBool; without a value it means yes.
  const yes = required !== undefined && /^(?:|1|t|true)$/i.test(textOf(required.value ?? []));
  const offset = instruction.line.offsetOf(flag[0]?.start ?? instruction.start);
  return { required: yes, line: dockerfile.source.position(offset).line };
}

function offsetBehind({ line }: Instruction, glyphs: readonly Glyph[]): number {
  const last = glyphs.at(-1);
  if (last === undefined) throw new RangeError('a mount without characters has no end');
  return byteRange(line, last).end;
}

function literal(id: string): string | undefined {
  return id.includes('$') ? undefined : Buffer.from(id, 'latin1').toString('utf8');
}

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}
