/** Why a step is built anew: what differs from what its last image was made from, in sentences. */
import { shown } from '../tar/paths.js';
import type { FileChange, FileStates } from './file-states.js';
import { ARTIFACT_ORDER, type Fingerprint } from './fingerprint.js';

/** What a session has made a step's image from, or is about to. */
export interface Explained {
  readonly parts: Fingerprint['parts'];
  /** Of its context; absent where it was not kept. */
  readonly files?: FileStates;
}

export const NEVER_BUILT = 'never built here';
export const IMAGE_GONE = 'its image is gone from the engine';

/** Files named before the rest is counted. */
const NAMED = 3;

type Difference = 'changed' | 'added' | 'removed';

/**
 * @param before of the last session that built the step; `undefined`: none has
 * @returns at least one sentence without final period; IMAGE_GONE where nothing differs, for then nothing else makes one build it
 */
export function explain(before: Explained | undefined, now: Explained): readonly string[] {
  if (before === undefined) return [NEVER_BUILT];
  const differences = differencesOf(before.parts, now.parts);
  // Another key, or another way to write digests: then all differ, and only this is certain.
  if (differences.get('Habitus') === 'changed') return ['Habitus itself changed'];
  const sentences = [...differences].flatMap(([name, difference]) => {
    if (name === 'context' && difference === 'changed') return contextSentences(before.files, now.files);
    if (isImplied(name, difference, differences)) return [];
    return [sentence(name, difference)];
  });
  return sentences.length === 0 ? [IMAGE_GONE] : sentences;
}

function differencesOf(before: Explained['parts'], now: Explained['parts']): ReadonlyMap<string, Difference> {
  const differences = new Map<string, Difference>();
  for (const [name, digest] of Object.entries(now)) {
    if (!Object.hasOwn(before, name)) differences.set(name, 'added');
    else if (before[name] !== digest) differences.set(name, 'changed');
  }
  for (const name of Object.keys(before)) if (!Object.hasOwn(now, name)) differences.set(name, 'removed');
  return differences;
}

/** Whether another sentence says it already. */
function isImplied(
  name: string,
  difference: Difference,
  differences: ReadonlyMap<string, Difference>,
): boolean {
  if (name === ARTIFACT_ORDER) {
    return [...differences].some(([other, how]) => other.startsWith('artifact ') && how !== 'changed');
  }
  if (!name.startsWith('artifact ') || difference !== 'changed') return false;
  return [...differences.keys()].some((other) => other.startsWith('step ') && name.endsWith(` of ${other}`));
}

/** Parts of which every step has one; those that may come in numbers are named as they are. */
const SINGLE: Readonly<Record<string, string>> = {
  Dockerfile: 'its Dockerfile',
  target: 'its target',
  network: 'the network of RUN',
  limits: 'the limits of RUN',
  builder: 'the builder',
  engine: 'the engine',
  context: 'its context',
  cleanup: 'its cleanup',
  squash: 'its squash',
  [ARTIFACT_ORDER]: 'the order of its artifacts',
};

function sentence(name: string, difference: Difference): string {
  const subject = SINGLE[name] ?? printable(name);
  switch (difference) {
    case 'changed':
      return name.startsWith('step ') ? `${subject} is built anew` : `${subject} changed`;
    case 'added':
      return `${subject} is new`;
    case 'removed':
      return `${subject} is no longer there`;
  }
}

function contextSentences(before: FileStates | undefined, now: FileStates | undefined): readonly string[] {
  const changes = before === undefined ? [] : (now?.changesSince(before) ?? []);
  if (changes.length === 0) return [sentence('context', 'changed')];
  const more = changes.length - NAMED;
  return [
    ...changes.slice(0, NAMED).map(fileSentence),
    ...(more > 0 ? [`${more} more ${more === 1 ? 'file' : 'files'} of its context changed`] : []),
  ];
}

function fileSentence({ path, change }: FileChange): string {
  const name = PLAIN.test(path) ? path : shown(path);
  switch (change) {
    case 'content':
      return `${name} changed`;
    case 'mode':
      return `the mode of ${name} changed`;
    case 'added':
      return `${name} is new`;
    case 'removed':
      return `${name} is no longer there`;
  }
}

/** Cannot be taken for words of the sentence, nor change a terminal. */
const PLAIN = /^[\w.,/@%+=:~-]+$/;

/** Labels and references come from files: nothing of them may change a terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
