/** What the values of flags may look like. Each parser gives `undefined` for text that is none of its kind. */
import { DURATION_GRAMMAR, parseDuration } from '../core/duration.js';
import type { ProveSecret } from '../core/image-api.js';

export interface Kind<T> {
  /** What it takes, to follow `takes`, e.g. `a whole number from 1`. */
  readonly takes: string;
  /** What is given by mistake may be a secret: messages do not repeat it. */
  readonly confidential?: true;
  parse(text: string): T | undefined;
}

export const anyText: Kind<string> = { takes: 'a text', parse: (text) => text };

/** As `strconv.ParseBool` of Go: https://pkg.go.dev/strconv#ParseBool */
export const boolean: Kind<boolean> = {
  takes: 'true or false',
  parse(text) {
    if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
    if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
    return undefined;
  },
};

export function oneOf<const T extends string>(...words: readonly [T, ...T[]]): Kind<T> {
  return {
    // Intl.ListFormat would take as long as all the rest of --help.
    takes: `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`,
    parse: (text) => words.find((word) => word === text.toLowerCase()),
  };
}

/** Where an empty text says that the flag is not given, as in `-docker-memory=$MEMORY` where MEMORY is not set. */
export function unlessEmpty<T>(kind: Kind<T>): Kind<T | ''> {
  return { takes: kind.takes, parse: (text) => (text === '' ? '' : kind.parse(text)) };
}

export function wholeNumber(least: number): Kind<number> {
  return {
    takes: `a whole number from ${least}`,
    parse(text) {
      const number = /^\d+$/.test(text) ? Number(text) : NaN;
      return Number.isSafeInteger(number) && number >= least ? number : undefined;
    },
  };
}

export const port: Kind<number> = {
  takes: 'a port from 0 to 65535',
  parse: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined),
};

/** In milliseconds. */
export const duration: Kind<number> = { takes: DURATION_GRAMMAR, parse: parseDuration };

export type SecretProvider = 'file' | 'env';

/** Of Basic authentication, https://www.rfc-editor.org/rfc/rfc7617 */
export const userName: Kind<string> = {
  takes: 'a name without ":"',
  confidential: true,
  parse: (text) => (text.includes(':') ? undefined : text),
};

/** As the original took them; none where the text is empty. */
export const providers: Kind<readonly SecretProvider[]> = {
  takes: 'file, env, or both with a comma between',
  parse(text) {
    const words = text.split(',').map((word) => word.trim());
    if (text.trim() === '') return [];
    const known = words.filter((word): word is SecretProvider => word === 'file' || word === 'env');
    return known.length === words.length ? known : undefined;
  },
};

/** A shell that sees `$` in front of it puts the value in its place. */
export const variableName: Kind<string> = {
  takes: 'the name of a variable',
  confidential: true,
  parse: (text) => (/^[A-Za-z_]\w*$/.test(text) ? text : undefined),
};

export const secretSource: Kind<ProveSecret> = {
  takes: 'env:NAME or file:PATH',
  confidential: true,
  parse(text) {
    const [, type, where = ''] = /^(env|file):(.+)$/s.exec(text) ?? [];
    if (type === 'file') return { name: text, source: { file: where } };
    if (type === undefined || variableName.parse(where) === undefined) return undefined;
    return { name: text, source: { env: where } };
  },
};

const UNITS = 'bkmgt';

/** Bytes, as `docker run --memory` reads them: units are powers of 1024. */
export const bytes: Kind<number> = {
  takes: 'bytes, or a number with the unit b, k, m or g, such as 512m',
  parse(text) {
    const match = /^(\d+(?:\.\d+)?) ?(?:([bkmgt])(?:i?b)?)?$/i.exec(text);
    if (match === null) return undefined;
    const unit = UNITS.indexOf(match[2]?.toLowerCase() ?? 'b');
    const size = Math.floor(Number(match[1]) * 1024 ** unit);
    return Number.isSafeInteger(size) ? size : undefined;
  },
};

export const cpuList: Kind<string> = {
  takes: 'CPU numbers such as 0-3 or 0,2',
  parse: (text) => (/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(text) ? text : undefined),
};

/** A key and a value; the value is all that follows the first `=`. */
export const keyValue: Kind<readonly [key: string, value: string]> = {
  takes: 'KEY=VALUE',
  parse(text) {
    const at = text.indexOf('=');
    return at < 1 ? undefined : [text.slice(0, at), text.slice(at + 1)];
  },
};
