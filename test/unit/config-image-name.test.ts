import fc from 'fast-check';
import { expect, test } from 'vitest';
import { imageKey, parseImageName, withUid } from '../../src/config/image-name.js';

test.each([
  ['app', 'app', 'latest'],
  ['app:1.10', 'app', '1.10'],
  ['team/app_x/y__z/a---b.c:V_1.-', 'team/app_x/y__z/a---b.c', 'V_1.-'],
  ['localhost/app', 'localhost/app', 'latest'],
  ['localhost:5000/app', 'localhost:5000/app', 'latest'],
  ['registry.example:5000/team/app:2', 'registry.example:5000/team/app', '2'],
  ['Registry.Example/app', 'Registry.Example/app', 'latest'],
  ['[2001:db8::1]:5000/app:x', '[2001:db8::1]:5000/app', 'x'],
  ['5:5', '5', '5'],
])('%s is the repository %s with the tag %s', (text, repository, tag) => {
  expect(parseImageName(text)).toEqual({ kind: 'name', name: { repository, tag } });
});

test.each([
  ['', 'it is empty', undefined],
  ['App', 'letters must be in lower case', 'write "app"'],
  ['host:5/Team/App:V1', 'letters must be in lower case', 'write "host:5/team/app:V1"'],
  [':tag', 'nothing stands before the ":"', undefined],
  [
    'app:',
    'the tag "" must be 1 to 128 letters, digits, "_", "." and "-", and not begin with "." or "-"',
    undefined,
  ],
  [
    'app:.x',
    'the tag ".x" must be 1 to 128 letters, digits, "_", "." and "-", and not begin with "." or "-"',
    undefined,
  ],
  [
    'a b',
    '"a b" must be lower-case letters and digits, with single "." or "_", "__" or "-" between them',
    undefined,
  ],
  [
    '-a',
    '"-a" must be lower-case letters and digits, with single "." or "_", "__" or "-" between them',
    undefined,
  ],
  [
    'a..b',
    '"a..b" must be lower-case letters and digits, with single "." or "_", "__" or "-" between them',
    undefined,
  ],
  ['a//b', 'a part between slashes is empty', undefined],
  ['/a', 'a part between slashes is empty', undefined],
  ['a/', 'a part between slashes is empty', undefined],
  ['-x.y/a', '"-x.y" is not a registry host', undefined],
  ['a@sha256:0', 'a digest names an image that exists already', 'remove the "@" and what follows'],
  ['0'.repeat(64), '64 hexadecimal digits are an image ID', undefined],
  ['a'.repeat(256), 'it has more than 255 characters', undefined],
])('%s is refused: %s', (text, why, hint) => {
  expect(parseImageName(text)).toEqual({ kind: 'invalid', why, ...(hint !== undefined && { hint }) });
});

test.each([
  ['app', 'app-x1'],
  ['App:V', 'app-x1:v'],
  ['localhost:5000/App', 'localhost:5000/app-x1'],
])('with --uid X1, %s becomes %s', (written, expected) => {
  expect(withUid(written, 'X1')).toBe(expected);
  expect(withUid(written, '')).toBe(written);
});

test('references to one image have one key, references by digest have none', () => {
  const app = imageKey('app');
  for (const same of [
    'app:latest',
    'library/app',
    'docker.io/app',
    'index.docker.io/library/app:latest',
    'App',
  ]) {
    expect(imageKey(same)).toBe(app);
  }
  for (const other of [
    'app:1',
    'app:Latest',
    'team/app',
    'localhost/app',
    'localhost:5000/library/app',
    'app/app',
  ]) {
    expect(imageKey(other)).not.toBe(app);
  }
  expect(imageKey('app@sha256:0')).toBeUndefined();
  expect(imageKey('app:1@sha256:0')).toBeUndefined();
  expect(imageKey('')).toBeUndefined();
});

test('every name built by the grammar is read back, and no text breaks the parser', () => {
  const letters = (from: string, min: number, max: number): fc.Arbitrary<string> =>
    fc
      .array(fc.constantFrom(...Array.from(from)), { minLength: min, maxLength: max })
      .map((all) => all.join(''));
  const word = letters('abcxyz0189', 1, 6);
  const component = fc
    .tuple(word, fc.array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '---'), word), { maxLength: 3 }))
    .map(([first, more]) => first + more.flat().join(''));
  const host = fc.constantFrom('', 'localhost/', 'localhost:5000/', 'a.b:1/', 'A-b.c/', '[::1]:7/');
  const tag = fc.option(letters('abzAZ09_', 1, 4), { nil: undefined });
  fc.assert(
    fc.property(host, fc.array(component, { minLength: 1, maxLength: 3 }), tag, (registry, path, label) => {
      // The first of several components is a host when it has a dot.
      fc.pre(registry !== '' || path.length === 1 || path[0]?.includes('.') === false);
      const repository = registry + path.join('/');
      const text = label === undefined ? repository : `${repository}:${label}`;
      expect(parseImageName(text)).toEqual({ kind: 'name', name: { repository, tag: label ?? 'latest' } });
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const parsed = parseImageName(text);
      if (parsed.kind === 'name') expect(imageKey(text)).toBeDefined();
    }),
  );
});
