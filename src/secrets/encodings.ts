/** What a secret may look like where it has leaked: its value, and the encodings that programs write it in. */

/** Bytes of a secret in one encoding. */
export interface Needle {
  /** The secret's name. */
  readonly secret: string;
  /** For people: `plain`, `base64`, `base64url`, `hex`, `URL-encoded`, `JSON-escaped`, `UTF-16`, `other line breaks`, `line N`. */
  readonly encoding: string;
  /** At least `PROVABLE_BYTES` of them. */
  readonly bytes: Buffer;
}

export interface Needles {
  /** No two have the same bytes. */
  readonly needles: readonly Needle[];
  /** Names of secrets that cannot be searched for: see `isProvable`. */
  readonly unproven: readonly string[];
}

/** Shorter values are found everywhere by chance. */
export const PROVABLE_BYTES = 8;
/** Of a line of a secret that is searched for on its own. */
const LINE_BYTES = 16;

/** Unreserved in URLs (RFC 3986, 2.3). */
const UNRESERVED = /[A-Za-z0-9._~-]/;
/** What programs leave as it is: encodeURIComponent, RFC 3986 to the letter, forms, encodeURI. */
const UNESCAPED: readonly RegExp[] = [
  /[A-Za-z0-9._~!*'()-]/,
  UNRESERVED,
  /[A-Za-z0-9._*-]/,
  /[A-Za-z0-9._~!*'();,/?:@&=+$#-]/,
];

/**
 * All patterns of all secrets, without their last line break: whoever has them with it has them without.
 * @param secrets whose names are unique
 */
export function needlesOf(secrets: readonly { readonly name: string; readonly value: Buffer }[]): Needles {
  const needles = new Map<string, Needle>();
  const unproven: string[] = [];
  for (const { name, value } of secrets) {
    const bytes = withoutLastBreak(value);
    if (!isProvable(bytes)) unproven.push(name);
    else
      for (const [encoding, pattern] of patterns(bytes)) {
        const key = pattern.toString('latin1');
        if (!needles.has(key)) needles.set(key, { secret: name, encoding, bytes: pattern });
      }
  }
  return { needles: [...needles.values()], unproven };
}

/** One byte over and over is found everywhere, however long it is: archives are full of zeros. */
function isProvable(bytes: Buffer): boolean {
  return bytes.length >= PROVABLE_BYTES && bytes.some((byte) => byte !== bytes[0]);
}

function withoutLastBreak(value: Buffer): Buffer {
  if (value.at(-1) !== 0x0a) return value;
  return value.subarray(0, value.at(-2) === 0x0d ? -2 : -1);
}

function* patterns(bytes: Buffer): Generator<readonly [encoding: string, pattern: Buffer]> {
  yield ['plain', bytes];
  for (const pattern of base64(bytes)) yield ['base64', pattern];
  for (const pattern of base64(bytes)) yield ['base64url', urlSafe(pattern)];
  yield ['hex', Buffer.from(bytes.toString('hex'))];
  yield ['hex', Buffer.from(bytes.toString('hex').toUpperCase())];
  for (const pattern of urlEncoded(bytes)) yield ['URL-encoded', Buffer.from(pattern)];
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) {
    for (const pattern of jsonEscaped(text)) yield ['JSON-escaped', Buffer.from(pattern)];
    yield ['UTF-16', Buffer.from(text, 'utf16le')];
  }
  yield* lines(bytes.toString('latin1'));
}

/**
 * Before it there may be 0, 1 or 2 bytes of another group of three. Only those characters that all bits of come from the
 * value are the same in any surroundings.
 */
function base64(bytes: Buffer): Buffer[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor(((before + bytes.length) * 8) / 6);
    return Buffer.from(text.slice(first, last));
  });
}

function urlSafe(pattern: Buffer): Buffer {
  return Buffer.from(pattern.toString().replaceAll('+', '-').replaceAll('/', '_'));
}

function* urlEncoded(bytes: Buffer): Generator<string> {
  for (const unescaped of UNESCAPED) {
    const encode = (byte: number) => {
      const character = String.fromCharCode(byte);
      return unescaped.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
    };
    const lower = Array.from(bytes, encode).join('');
    const upper = lower.replaceAll(/%../g, (escape) => escape.toUpperCase());
    yield* [upper, lower, upper.replaceAll('%20', '+'), lower.replaceAll('%20', '+')];
  }
}

/** Programs differ in what they escape beyond what they must: Go `<>&`, PHP `/`, Python all but ASCII. */
function* jsonEscaped(text: string): Generator<string> {
  const must = JSON.stringify(text).slice(1, -1);
  const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  for (const html of [must, must.replaceAll(/[<>&\u2028\u2029]/g, unicode)]) {
    for (const ascii of [html, html.replaceAll(/[^ -~]/g, unicode)]) {
      yield ascii;
      yield ascii.replaceAll('/', '\\/');
      yield ascii.replaceAll(/(?<=\\u)[0-9a-f]{4}/g, (digits) => digits.toUpperCase());
    }
  }
}

/** Of a value of several lines: with the other kind of line breaks, and each line that could not be anybody's. */
function* lines(text: string): Generator<readonly [encoding: string, pattern: Buffer]> {
  const all = text.split(/\r?\n/);
  if (all.length === 1) return;
  for (const lineBreak of ['\n', '\r\n', '\r'])
    yield ['other line breaks', Buffer.from(all.join(lineBreak), 'latin1')];
  for (const [index, whole] of all.entries()) {
    // Whoever puts a key into YAML indents it.
    const line = whole.trim();
    if (line.length >= LINE_BYTES && !isCommon(line))
      yield [`line ${index + 1}`, Buffer.from(line, 'latin1')];
  }
}

/** The lines that many keys share: armour, headers (RFC 1421), and the first of what OpenSSH writes without a passphrase. */
function isCommon(line: string): boolean {
  return (
    /^-----.*-----$/.test(line) ||
    /^(Proc-Type|DEK-Info): /.test(line) ||
    line.startsWith('b3BlbnNzaC1rZXktdjEA') ||
    new Set(line).size === 1
  );
}
