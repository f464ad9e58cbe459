import { mkdir, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/diagnostic.js';
import { loadPlan } from '../../src/config/load.js';
import { load, loadStep, options, problemsOf, project, steps } from './config-project.js';

const GOOD = steps('a: { name: app, command: "grün" }');

test.each([
  ['UTF-8', Buffer.from(GOOD)],
  ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${GOOD}`)],
  ['UTF-16LE with a mark', Buffer.from(`\ufeff${GOOD}`, 'utf16le')],
  ['UTF-16BE with a mark', Buffer.from(`\ufeff${GOOD}`, 'utf16le').swap16()],
  ['CRLF', Buffer.from(GOOD.replaceAll('\n', '\r\n'))],
])('a file in %s is read', async (_, bytes) => {
  expect((await loadStep({ 'build.yml': bytes })).command).toBe('grün');
});

test('places are right behind a byte order mark and with CRLF', async () => {
  const file = Buffer.from(`\ufeff${steps('a: { nmae: app }').replaceAll('\n', '\r\n')}`, 'utf16le');
  expect(await problemsOf({ 'build.yml': file })).toMatchInlineSnapshot(`
    "build.yml:4:10: error: unknown key "nmae" in step "a"
      4 |     a: { nmae: app }
        |          ^~~~
        = did you mean "name"?"
  `);
});

test('other encodings and control characters are refused at their place', async () => {
  expect(await problemsOf({ 'build.yml': Buffer.from(GOOD, 'utf16le') })).toMatchInlineSnapshot(`
    "build.yml:1:2: error: the control character U+0000 may not stand in a YAML file
      1 | b␀u␀i␀l␀d␀:␀
        |  ^
        = save the file as UTF-8; it may be UTF-16 without a byte order mark, or no text at all"
  `);
  expect(await problemsOf({ 'build.yml': Buffer.from(GOOD, 'latin1') })).toMatchInlineSnapshot(`
    "build.yml:4:33: error: the file is not valid UTF-8 text
      4 |     a: { name: app, command: "gr�n" }
        |                                 ^
        = save the file as UTF-8"
  `);
  expect(await problemsOf(steps('a: { name: app, command: "\u001b[31mred" }'))).toMatchInlineSnapshot(`
    "build.yml:4:31: error: the control character U+001B may not stand in a YAML file
      4 |     a: { name: app, command: "␛[31mred" }
        |                               ^
        = remove it, or write it as an escape in double quotes: "\\x1b""
  `);
});

test('a file that is not there, or is no file, is told with what to do', async () => {
  const folder = await project({});
  await expect(loadPlan(options(folder))).rejects.toMatchObject({
    message: `build.yml: there is no build file ${folder}/build.yml`,
    hint: 'name the folder that holds build.yml with -d, or the file itself with -f',
    exitCode: 2,
  });
  await writeFile(join(folder, 'ci.yml'), '');
  await expect(loadPlan(options(folder, { file: 'ci.yml' }))).rejects.toMatchObject({
    hint: `did you mean -f ${relative('', folder)}/ci.yml? -f is relative to the current folder, not to -d`,
  });
  await mkdir(join(folder, 'build.yml'));
  await expect(loadPlan(options(folder))).rejects.toThrow(`the build file ${folder}/build.yml is a folder`);
  await expect(loadPlan(options(folder, { file: '/dev/null' }))).rejects.toThrow(
    '/dev/null is not a regular file',
  );
  await expect(loadPlan(options(folder, { file: join(folder, 'Dockerfile/x') }))).rejects.toThrow(
    'there is no build file',
  );
  await expect(loadPlan(options(folder, { file: `${folder}/\0` }))).rejects.toThrow('there is no build file');
  await writeFile(join(folder, 'large.yml'), Buffer.alloc(4 * 1024 * 1024 + 1, '#'));
  await expect(loadPlan(options(folder, { file: join(folder, 'large.yml') }))).rejects.toThrow(
    'is larger than 4 MiB',
  );
});

test('a named pipe is refused without waiting for a writer', async () => {
  const folder = await project({});
  execFileSync('mkfifo', [join(folder, 'build.yml')]);
  await expect(loadPlan(options(folder))).rejects.toThrow('build.yml is not a regular file');
});

test('-f names a file from the current directory, but build.yml lies in the work directory', async () => {
  const folder = await project({ 'build.yml': GOOD, 'other.yml': steps('b: { name: other }') });
  expect((await loadPlan(options(folder, { file: 'build.yml' }))).plan.file).toBe(join(folder, 'build.yml'));
  const { plan } = await loadPlan(options(folder, { file: join(folder, 'other.yml') }));
  expect([plan.file, plan.workDirectory, plan.steps[0]?.label]).toEqual([
    join(folder, 'other.yml'),
    folder,
    'b',
  ]);
});

test('syntax errors are told in our words', async () => {
  const told: string[] = [];
  for (const file of [
    'build:\n\tversion: x\n',
    'build:\n  a: 1\n b: 2\n',
    'a: "x\n',
    "a: 'x\n",
    'a: [x\n',
    'a: {x: 1\n',
    'a: b: c\n',
    'a: @x\n',
    'a: "\\q"\n',
    'a: 1\nb\n',
    'a: }\n',
    'a: 1\n---\nb: 2\n',
    '%YAML\n---\na: 1\n',
    'a: &x &y 1\n',
    'a: "x"y\n',
    '- a\nb: 1\n',
    'a: |x\n  y\n',
    'a: [1 2]\n  b: {c}\n',
  ]) {
    told.push(await problemsOf(file));
  }
  expect(told.join('\n')).toMatchInlineSnapshot(`
    "build.yml:2:1: error: a tab may not indent a line
      2 |     version: x
        | ^~~~
        = use spaces
    build.yml:3:1: error: the indentation fits no line above
      3 |  b: 2
        | ^
        = begin the keys of one mapping in the same column
    build.yml:1:4: error: a text in double quotes is never closed
      1 | a: "x
        |    ^
    build.yml:1:4: error: a text in single quotes is never closed
      1 | a: 'x
        |    ^
    build.yml:1:4: error: a "[" is never closed
      1 | a: [x
        |    ^
    build.yml:1:4: error: a "{" is never closed
      1 | a: {x: 1
        |    ^
    build.yml:1:4: error: a second "key: value" on one line
      1 | a: b: c
        |    ^
        = put it on its own line, or put the value in quotes
    build.yml:1:4: error: a text may not begin with this character
      1 | a: @x
        |    ^
        = put the text in quotes
    build.yml:1:5: error: unknown escape in double quotes
      1 | a: "\\q"
        |     ^
        = write "\\\\" for a backslash, or use single quotes
    build.yml:2:1: error: a ":" is missing after the key
      2 | b
        | ^
        = write "key: value", with a space after the ":"
    build.yml:1:4: error: this may not stand here
      1 | a: }
        |    ^
        = put texts with special characters in quotes
    build.yml:2:1: error: a second document begins here
      2 | ---
        | ^~~
        = keep one document, without a line "---" between
    build.yml:1:1: error: not a valid YAML directive
      1 | %YAML
        | ^~~~~
        = put a text that begins with "%" in quotes
    build.yml:1:7: error: anchors or tags may not stand here together
      1 | a: &x &y 1
        |       ^~
    build.yml:1:7: error: this may not stand here
      1 | a: "x"y
        |       ^
        = put texts with special characters in quotes
    build.yml:2:1: error: this may not stand here
      2 | b: 1
        | ^
        = put texts with special characters in quotes
    build.yml:1:5: error: this may not stand here
      1 | a: |x
        |     ^
        = put texts with special characters in quotes
    build.yml:2:1: error: the indentation fits no line above
      2 |   b: {c}
        | ^
        = begin the keys of one mapping in the same column"
  `);
});

test('keys that come twice, and keys that are no texts, are told', async () => {
  expect(
    await problemsOf(
      `${steps('a: { name: app, name: other, [x]: 1, ~: 2 }\nb: { name: b }')}    a: { name: third }\n`,
    ),
  ).toMatchInlineSnapshot(`
    "build.yml:4:21: error: the key "name" occurs twice
      4 |     a: { name: app, name: other, [x]: 1, ~: 2 }
        |                     ^~~~
        = it is in line 4 already
    build.yml:4:34: error: a key must be a text
      4 |     a: { name: app, name: other, [x]: 1, ~: 2 }
        |                                  ^~~
        = put texts with braces or brackets in quotes
    build.yml:4:42: error: a key is empty
      4 |     a: { name: app, name: other, [x]: 1, ~: 2 }
        |                                          ^
        = put a key that is called "null" or "~" in quotes
    build.yml:6:5: error: the key "a" occurs twice
      6 |     a: { name: third }
        |     ^
        = it is in line 4 already"
  `);
});

test('anchors, aliases and merges work as in the original', async () => {
  const { plan } = await load({
    Dockerfile: 'FROM scratch AS x\n',
    'build.yml': steps(`
a: &base
  name: app
  args: &args { A: 1, B: 2 }
b:
  <<: *base
  name: other
c:
  <<: [{ no_cache: true }, { no_cache: false, target: x }]
  name: third
  args: { <<: *args, B: 3 }
`),
  });
  expect(
    plan.steps.map(({ imageName, args, noCache, target }) => [imageName, args, noCache, target]),
  ).toEqual([
    ['app:latest', { A: '1', B: '2' }, false, undefined],
    ['other:latest', { A: '1', B: '2' }, false, undefined],
    ['third:latest', { A: '1', B: '3' }, true, 'x'],
  ]);
});

test('aliases without anchor, endless ones, odd merges and tags are told', async () => {
  expect(
    await problemsOf(
      steps(`
a: &base { name: app, <<: 5, depends_on: &d [*d], command: *bsae }
b: { name: !custom b, command: !!binary aGk=, target: !!str 5 }
`),
    ),
  ).toMatchInlineSnapshot(`
    "build.yml:4:27: error: "<<" takes a mapping, or a list of mappings
      4 |     a: &base { name: app, <<: 5, depends_on: &d [*d], command: *bsae }
        |                           ^~
        = write "<<: *anchor"
    build.yml:4:49: error: item 1 of "depends_on" of step "a" must be a text, not a list
      4 |     a: &base { name: app, <<: 5, depends_on: &d [*d], command: *bsae }
        |                                                 ^~~~
    build.yml:4:50: error: the alias "*d" contains itself
      4 |     a: &base { name: app, <<: 5, depends_on: &d [*d], command: *bsae }
        |                                                  ^~
    build.yml:4:64: error: no anchor "&bsae" comes before "*bsae"
      4 |     a: &base { name: app, <<: 5, depends_on: &d [*d], command: *bsae }
        |                                                                ^~~~~
        = did you mean "base"?
    build.yml:5:24: error: the tag !custom has no meaning here
      5 |     b: { name: !custom b, command: !!binary aGk=, target: !!str 5 }
        |                        ^
        = remove the tag
    build.yml:5:45: error: the tag !!binary has no meaning here
      5 |     b: { name: !custom b, command: !!binary aGk=, target: !!str 5 }
        |                                             ^~~~
        = remove the tag"
  `);
});

test('a bomb of aliases is refused quickly', async () => {
  const levels = Array.from({ length: 20 }, (_, level) => {
    const item = level === 0 ? 'x' : `*l${String(level - 1)}`;
    return `l${String(level)}: &l${String(level)} [${Array.from({ length: 10 }, () => item).join(', ')}]\n`;
  });
  const start = performance.now();
  const told = await problemsOf(levels.join(''));
  expect(told).toContain('error: aliases repeat more than 100000 values');
  expect(performance.now() - start).toBeLessThan(30_000);
});

test.each([
  ['brackets', '['.repeat(20_000)],
  ['braces', '{a: '.repeat(10_000)],
  ['dashes', '- '.repeat(10_000)],
  ['question marks', '? '.repeat(10_000)],
  ['indented keys', Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('')],
])('thousands of nested %s are refused, not followed', async (_, file) => {
  expect(await problemsOf(file)).toContain('error: more than 64 levels of nesting');
});

test.each([
  ['tags', '!a '.repeat(10_000)],
  ['quotes', '"'.repeat(10_000)],
  ['anchors', '&a '.repeat(10_000)],
  ['keys', Array.from({ length: 10_000 }, (_, index) => `k${String(index)}: 1\n`).join('')],
  ['the same key', 'a: 1\n'.repeat(10_000)],
  ['aliases', `a: &a 1\nb: [${'*a, '.repeat(10_000)}]\n`],
])('10,000 %s are no trouble, and end in diagnostics', async (_, file) => {
  const start = performance.now();
  await expect(load(file)).rejects.toThrow(ConfigError);
  expect(performance.now() - start).toBeLessThan(30_000);
});
