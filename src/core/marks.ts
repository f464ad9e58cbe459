/** The marks of sessions: IDs, labels of containers, names of images; written here and read back here. */
import { randomBytes } from 'node:crypto';
import { formatOwner, parseOwner, type Owner } from './owner.js';

/** Every container of a session carries these labels: the session's ID, and its owner. */
export const SESSION_LABEL = 'habitus.session';
export const OWNER_LABEL = 'habitus.owner';

/**
 * Where the images of a running build are tagged. The registry part can never answer, so no engine asks a registry for
 * such a name in earnest: the containerd store asks the registry first and would take a foreign image of that name.
 */
export const SESSION_REPOSITORY = '127.0.0.1:1/habitus';

/** Crockford's alphabet, lower case: sorts as the numbers do and reads without confusion. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARACTERS = 7;

/** Twelve characters: seven of the second it began (they sort by time), five random ones. */
export function newSessionId(now: number = Date.now()): string {
  let seconds = Math.floor(now / 1000);
  let time = '';
  for (let i = 0; i < TIME_CHARACTERS; i++) {
    time = ALPHABET.charAt(seconds % 32) + time;
    seconds = Math.floor(seconds / 32);
  }
  return time + Array.from(randomBytes(5), (byte) => ALPHABET.charAt(byte & 31)).join('');
}

/** When a session began by its owner's clock, in milliseconds since the epoch; 0 for what is no ID. */
export function sessionTime(id: string): number {
  const digits = Array.from(id.slice(0, TIME_CHARACTERS), (character) => ALPHABET.indexOf(character));
  if (digits.length < TIME_CHARACTERS || digits.includes(-1)) return 0;
  return digits.reduce((seconds, digit) => seconds * 32 + digit, 0) * 1000;
}

/** Below it lie the names of all images of a session. */
export function sessionPrefix(id: string): string {
  return `${SESSION_REPOSITORY}/${id}/`;
}

/** The name of a step's image; its tag tells the owner. @param index the step's place in the plan */
export function sessionName(id: string, label: string, index: number, owner: Owner): string {
  return `${sessionPrefix(id)}${slug(label, index)}:${formatOwner(owner)}`;
}

/** Another name of the session beside a step's own. @param word such as `cleaned` */
export function siblingName(name: string, word: string): string {
  return `${name}-${word}`;
}

/** A name that an image gets to be removed by, for no longer than that. */
export function removalName(id: string, index: number, owner: Owner): string {
  return siblingName(sessionName(id, 'image', index, owner), REMOVED);
}

/** Whether it is one, whoever gave it: such an image counts as nameless. */
export function isRemovalName(name: string): boolean {
  return name.startsWith(`${SESSION_REPOSITORY}/`) && name.endsWith(`-${REMOVED}`);
}

const REMOVED = 'removed';

export interface SessionMark {
  readonly session: string;
  /** Absent where an earlier version of this program made it. */
  readonly owner: Owner | undefined;
}

/** What a name below `SESSION_REPOSITORY` tells. */
export function readSessionName(name: string): SessionMark | undefined {
  const [, session, tag = ''] = /^127\.0\.0\.1:1\/habitus\/([0-9a-z]{12})\/[^/:]+:(.+)$/.exec(name) ?? [];
  return session === undefined ? undefined : { session, owner: parseOwner(tag.replace(/-.*$/, '')) };
}

/** What the labels of a container tell. */
export function readSessionLabels(labels: Readonly<Record<string, string>>): SessionMark | undefined {
  const session = labels[SESSION_LABEL];
  if (session === undefined || !/^[0-9a-z]{12}$/.test(session)) return undefined;
  return { session, owner: parseOwner(labels[OWNER_LABEL] ?? '') };
}

/** A label as part of a repository name: lower case, unique by its place in the plan. */
function slug(label: string, index: number): string {
  const words = label.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return [String(index + 1), ...words].join('-').slice(0, 60).replace(/-+$/, '');
}
