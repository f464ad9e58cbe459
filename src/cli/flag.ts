/** What one flag of the command line is: how it is written, what it takes, what it adds to. */
import { UsageError } from '../core/errors.js';
import { boolean, keyValue, type Kind } from './values.js';

export type Group = 'build' | 'manner' | 'secrets' | 'keep' | 'show' | 'engine' | 'other';

export interface Flag<T> {
  readonly group: Group;
  readonly help: string;
  /** Another way to write its name, one letter. */
  readonly short?: string;
  /** Stands for the value in the help text; absent for a switch, which needs none. */
  readonly metavar?: string;
  /**
   * Take one more value.
   * @param name the flag as written in messages, e.g. `--jobs`
   * @throws {UsageError} for a value that is not of its kind
   */
  add(name: string, text: string, previous: T | undefined): T;
}

interface Description {
  readonly group: Group;
  readonly help: string;
  readonly short?: string;
}

/** A flag without a value: there, or not; the last one counts. */
export function toggle(description: Description): Flag<boolean> {
  return { ...description, add: (name, text) => read(name, text, boolean) };
}

/** A flag with one value; the last one counts. */
export function single<T>(metavar: string, kind: Kind<T>, description: Description): Flag<T> {
  return { ...description, metavar, add: (name, text) => read(name, text, kind) };
}

/** A flag that may be given many times. */
export function many<T>(metavar: string, kind: Kind<T>, description: Description): Flag<readonly T[]> {
  return {
    ...description,
    metavar,
    add: (name, text, previous = []) => [...previous, read(name, text, kind)],
  };
}

/** Keys with values, many times; the last value of a key counts. */
export function pairs(description: Description): Flag<Readonly<Record<string, string>>> {
  return {
    ...description,
    metavar: 'KEY=VALUE',
    add(name, text, previous = {}) {
      const [key, value] = read(name, text, keyValue);
      return { ...previous, [key]: value };
    },
  };
}

function read<T>(name: string, text: string, kind: Kind<T>): T {
  const value = kind.parse(text);
  if (value !== undefined) return value;
  const given = kind.confidential === true ? 'what was given' : JSON.stringify(text);
  throw new UsageError(`${name} takes ${kind.takes}, not ${given}`);
}
