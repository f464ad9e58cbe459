/** Each way of writing a secret has a pattern that is found in what programs write. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { needlesOf } from '../../src/secrets/encodings.js';
import { Matcher } from '../../src/secrets/matcher.js';

function encodings(value: string | Buffer, text: string | Buffer): string[] {
  const { needles } = needlesOf([{ name: 'token', value: Buffer.from(value) }]);
  const found = new Matcher(needles).find(Buffer.from(text)).map(({ needle }) => needle.encoding);
  return [...new Set(found)].sort();
}

/** What a program writes of any bytes. */
const WRITERS: readonly (readonly [encoding: string, write: (bytes: Buffer) => string | Buffer])[] = [
  ['plain', (bytes) => bytes],
  ['base64', (bytes) => bytes.toString('base64')],
  ['base64url', (bytes) => bytes.toString('base64url')],
  ['hex', (bytes) => bytes.toString('hex')],
  ['hex', (bytes) => bytes.toString('hex').toUpperCase()],
  ['URL-encoded', (bytes) => Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')],
];

const value = fc
  .uint8Array({ minLength: 8, maxLength: 60 })
  .filter((bytes) => new Set(bytes).size > 1 && bytes.at(-1) !== 10)
  .map((bytes) => Buffer.from(bytes));

describe('the patterns of a secret', () => {
  test.each(WRITERS.slice(0, 5))('find it written as %s, whatever surrounds it', (_, write) => {
    fc.assert(
      fc.property(
        value,
        fc.uint8Array({ maxLength: 7 }),
        fc.uint8Array({ maxLength: 7 }),
        (secret, before, after) => {
          expect(encodings(secret, write(Buffer.concat([before, secret, after])))).not.toEqual([]);
        },
      ),
    );
  });

  test('of the characters of base64 that depend on what is beside it have none', () => {
    // 8 bytes are 10 whole characters and a part of one before or after; with two bytes before they begin at the fourth.
    expect(encodings('hunter22', Buffer.from('xxhunter22xx').toString('base64'))).toEqual(['base64']);
    const { needles } = needlesOf([{ name: 'token', value: Buffer.from('hunter22') }]);
    const patterns = needles
      .filter(({ encoding }) => encoding === 'base64')
      .map(({ bytes }) => bytes.toString());
    expect(patterns).toEqual(['aHVudGVyMj', 'h1bnRlcjIy', 'odW50ZXIyM']);
  });

  test.each([
    ['URL-encoded', 'pass word/&?', 'https://user:pass%20word%2F%26%3F@host/'],
    ['URL-encoded', 'pass word/&?', 'password=pass+word%2f%26%3f'],
    ['URL-encoded', "it's(a)secret!", 'token=it%27s%28a%29secret%21'],
    ['URL-encoded', 'pass word/&?', 'https://host/pass%20word/&?'],
    ['URL-encoded', 'grüße aus bonn', 'gr%C3%BC%C3%9Fe%20aus%20bonn'],
    ['JSON-escaped', 'quote"and\\more', JSON.stringify({ token: 'quote"and\\more' })],
    ['JSON-escaped', 'a/b/c/d/e/f', '{"token":"a\\/b\\/c\\/d\\/e\\/f"}'],
    ['JSON-escaped', 'a<b>&more', '{"token":"a\\u003cb\\u003e\\u0026more"}'],
    ['JSON-escaped', 'grüße aus bonn', '{"token":"gr\\u00fc\\u00dfe aus bonn"}'],
    ['JSON-escaped', 'grüße aus bonn', '{"token":"gr\\u00FC\\u00DFe aus bonn"}'],
    ['UTF-16', 'hunter2hunter2', Buffer.from('token=hunter2hunter2', 'utf16le')],
    ['other line breaks', 'one\ntwo\nthree\n', 'x one\r\ntwo\r\nthree x'],
    ['other line breaks', 'one\r\ntwo\r\nthree\r\n', 'x one\ntwo\nthree x'],
    ['plain', 'with its line break\n', 'here: with its line break, and more'],
    ['plain', 'with its line break\r\n', 'here: with its line break, and more'],
  ])('find it as %s: %j in %j', (encoding, secret, text) => {
    expect(encodings(secret, text)).toEqual([encoding]);
  });

  test('find the lines of a key, each by its number, but not those that other keys have', () => {
    const key = [
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW',
      'QyNTUxOQAAACDsecretsecretsecretsecretsecretsecretsecretsecretsecretsec',
      'AAAAAAAAAAAAAAAAAAAAAAAA',
      'short line',
      '-----END OPENSSH PRIVATE KEY-----',
      '',
    ];
    for (const [index, line] of key.entries())
      expect(encodings(key.join('\n'), `  ${line}\r\n`)).toEqual(index === 2 ? ['line 3'] : []);
  });

  test('are all different, and long enough', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 4 }), (values) => {
        const { needles } = needlesOf(values.map((each, index) => ({ name: String(index), value: each })));
        const patterns = needles.map(({ bytes }) => bytes.toString('latin1'));
        expect(new Set(patterns).size).toBe(patterns.length);
        expect(patterns.filter((pattern) => pattern.length < 8)).toEqual([]);
      }),
    );
  });

  test('are none where a value cannot be proven: too short, or one byte over and over', () => {
    const secrets = { short: '1234567\n', zeros: '0'.repeat(40), empty: '', long: '12345678' };
    const { needles, unproven } = needlesOf(
      Object.entries(secrets).map(([name, text]) => ({ name, value: Buffer.from(text) })),
    );
    expect(unproven).toEqual(['short', 'zeros', 'empty']);
    expect(new Set(needles.map(({ secret }) => secret))).toEqual(new Set(['long']));
  });
});
