/** PAX extended records (POSIX.1-2017 pax, "pax Extended Header"): `LENGTH KEY=VALUE\n`, values as latin1. */
import { TarError } from './errors.js';

/** Keys whose values are C strings: a NUL inside would cut them on extraction. */
const STRINGS: ReadonlySet<string> = new Set(['path', 'linkpath', 'uname', 'gname']);
const DECIMAL = /^[0-9]{1,9}$/;
const TIME = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/;
const NANOSECONDS = 1_000_000_000n;

/**
 * @param text the body of an `x` or `g` block as latin1
 * @param offset of the body, for errors
 * @throws TarError
 */
export function parsePax(text: string, offset: number): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < text.length) {
    const space = text.indexOf(' ', at);
    const digits = text.slice(at, space === -1 ? at : space);
    const end = DECIMAL.test(digits) ? at + Number(digits) : -1;
    const equals = text.indexOf('=', space);
    if (
      end > text.length ||
      equals === -1 ||
      equals >= end ||
      equals === space + 1 ||
      text[end - 1] !== '\n'
    ) {
      throw new TarError('an extended (PAX) record is malformed', offset + at);
    }
    const key = text.slice(space + 1, equals);
    const value = text.slice(equals + 1, end - 1);
    if (key.includes('\0') || (STRINGS.has(key) && value.includes('\0'))) {
      throw new TarError('an extended (PAX) record has a NUL in it', offset + at);
    }
    records.set(key, value);
    at = end;
  }
  return records;
}

/** One record; the length counts bytes, itself included. */
export function formatPax(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + String(rest.length).length;
  if (rest.length + String(length).length !== length) length += 1;
  return `${length}${rest}`;
}

/** Seconds with an optional fraction, e.g. `-1.25`; digits below a nanosecond are dropped. */
export function parsePaxTime(text: string, offset: number): bigint {
  const match = TIME.exec(text);
  if (!match) throw new TarError(`"${printable(text)}" is not a time`, offset);
  const [, sign, seconds = '0', fraction = ''] = match;
  const value = BigInt(seconds) * NANOSECONDS + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -value : value;
}

/** The inverse of parsePaxTime, without trailing zeros. */
export function formatPaxTime(nanoseconds: bigint): string {
  const magnitude = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(magnitude % NANOSECONDS)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const sign = nanoseconds < 0n ? '-' : '';
  return `${sign}${magnitude / NANOSECONDS}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Sizes, uids and gids. */
export function parsePaxNumber(text: string, what: string, offset: number): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value))
    throw new TarError(`${what} "${printable(text)}" is out of range`, offset);
  return value;
}

function printable(text: string): string {
  return text.slice(0, 40).replace(/[^ -~]/g, '?');
}
