/** Redacts what is made of more than one text: events, results and errors, without changing their shape or class. */
import { LONGEST_LINE } from '../core/lines.js';
import { NOTHING_CARRIED, type TextRedactor } from './redact-text.js';

/**
 * What stands under these keys is out of a closed set of words, or an ID: programs tell events by it. A secret that happens
 * to be such a word is given away by nobody who says it.
 */
const CLOSED: ReadonlySet<string> = new Set([
  'type',
  'status',
  'state',
  'phase',
  'stream',
  'level',
  'builder',
  'kind',
  'result',
  'encoding',
  'session',
  'id',
  'imageId',
  'digest',
  'layer',
  'searched',
  'notSearched',
]);

/** Of errors: by these the program itself tells them. */
const CLOSED_OF_ERRORS: ReadonlySet<string> = new Set(['name', 'code']);

const NONE: ReadonlySet<string> = new Set();

/** Objects that were met, with what became of them: errors may refer to each other in a circle. */
type Seen = Map<object, unknown>;

/** Plain data: what is clean is returned as it is, else a copy. Errors in it are changed in place. */
export function redactData<T>(value: T, texts: TextRedactor): T {
  return texts.isEmpty ? value : (walk(value, CLOSED, texts, new Map()) as T);
}

/**
 * Message, stack, cause and all other properties are changed in place, so that the error stays what it was to `instanceof`.
 * @returns the error; another one of its kind where it cannot be changed; what is no error, redacted as data
 */
export function redactError(error: unknown, texts: TextRedactor): unknown {
  return texts.isEmpty ? error : walk(error, NONE, texts, new Map());
}

function walk(value: unknown, closed: ReadonlySet<string>, texts: TextRedactor, seen: Seen): unknown {
  if (typeof value === 'string') return texts.redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  seen.set(value, value);
  const clean = walkObject(value, closed, texts, seen);
  seen.set(value, clean);
  return clean;
}

function walkObject(value: object, closed: ReadonlySet<string>, texts: TextRedactor, seen: Seen): unknown {
  if (value instanceof Error) return walkError(value, texts, seen);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const clean = isCutLine(items)
      ? redactPieces(items, texts)
      : items.map((item) => walk(item, closed, texts, seen));
    return clean.some((item, index) => item !== items[index]) ? clean : value;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const entries = Object.entries(value);
  const clean = entries.map(
    ([key, item]: [string, unknown]) =>
      [
        closed.has(key) ? key : texts.redact(key),
        closed.has(key) ? item : walk(item, closed, texts, seen),
      ] as const,
  );
  const same = clean.every(([key, item], index) => key === entries[index]?.[0] && item === entries[index][1]);
  // Not by assignment: a key may be `__proto__`.
  return same ? value : Object.fromEntries(clean);
}

function walkError(error: Error, texts: TextRedactor, seen: Seen): Error {
  let changed = true;
  // The stack last: engines make it of the message when it is first read.
  const keys = new Set<string | symbol>(['message', ...Reflect.ownKeys(error), 'cause', 'stack']);
  for (const key of keys) {
    if (typeof key === 'string' && CLOSED_OF_ERRORS.has(key)) continue;
    const value: unknown = Reflect.get(error, key);
    const clean = walk(value, NONE, texts, seen);
    if (clean !== value && !Reflect.set(error, key, clean)) changed = false;
  }
  if (changed) return error;
  // Frozen, or one of the platform's own: no part of it is taken over but its words.
  const message = texts.redact(error.message);
  return error instanceof DOMException ? new DOMException(message, error.name) : new Error(message);
}

/** Whether these are lines of output of which one was cut into pieces. */
function isCutLine(items: readonly unknown[]): items is readonly string[] {
  return (
    items.every((item) => typeof item === 'string') && items.some((item) => item.length === LONGEST_LINE)
  );
}

function redactPieces(lines: readonly string[], texts: TextRedactor): readonly string[] {
  let carry = NOTHING_CARRIED;
  return lines.map((line, index) => {
    const goesOn = line.length === LONGEST_LINE && index + 1 < lines.length;
    const next = texts.next(carry, line, goesOn ? 'more' : 'end');
    carry = next.carry;
    return next.clean;
  });
}
