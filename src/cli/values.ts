/** What the values of flags may look like. Each parser gives `undefined` for text that is none of its kind. */

export interface Kind<T> {
  /** What it takes, to follow `takes`, e.g. `a whole number from 1`. */
  readonly takes: string;
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
    takes: new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(words),
    parse: (text) => words.find((word) => word === text),
  };
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
