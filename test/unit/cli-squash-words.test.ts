/** What the words of the commands on single images mean, and which are refused. */
import { describe, expect, test } from 'vitest';
import { readCommandLine } from '../../src/cli/command-line.js';
import { readImageInput, readNewName, readStays } from '../../src/config/image-words.js';
import { UsageError } from '../../src/core/errors.js';

describe('words', () => {
  test.each([
    ['app', { kind: 'image', reference: 'app', name: 'app:latest' }],
    ['docker.io/library/app:1', { kind: 'image', reference: 'docker.io/library/app:1', name: 'app:1' }],
    ['host:5000/a/b', { kind: 'image', reference: 'host:5000/a/b', name: 'host:5000/a/b:latest' }],
    [`app@sha256:${'0'.repeat(64)}`, { kind: 'image', reference: `app@sha256:${'0'.repeat(64)}` }],
    ['0'.repeat(64), { kind: 'image', reference: '0'.repeat(64) }],
    ['app.tar', { kind: 'file', path: 'app.tar' }],
    ['app.tar:latest', { kind: 'image', reference: 'app.tar:latest', name: 'app.tar:latest' }],
    ['dir/app.tgz', { kind: 'file', path: 'dir/app.tgz' }],
    ['app.tar.gz', { kind: 'file', path: 'app.tar.gz' }],
    ['./app', { kind: 'file', path: './app' }],
    ['../app', { kind: 'file', path: '../app' }],
    ['/app', { kind: 'file', path: '/app' }],
  ])('%s is read by its look alone', (word, input) => {
    expect(readImageInput(word)).toEqual(input);
  });

  test.each([
    [
      'a?b',
      'the image "a?b" is neither an image name nor a path: "a?b" must be lower-case letters and digits, with single "." or "_", "__" or "-" between them',
    ],
    ['a@b', 'the image "a@b" is neither an image name nor a path: what follows the "@" is no sha256 digest'],
    ['-', 'the image cannot be read from standard input, as it is read twice'],
  ])('%s is refused', (word, message) => {
    expect(() => readImageInput(word)).toThrow(expect.objectContaining({ name: 'UsageError', message }));
  });

  test('a base is scratch, a number of layers, a name or a path', () => {
    expect(readStays(undefined)).toEqual({ kind: 'layers', count: 0 });
    expect(readStays('scratch')).toEqual({ kind: 'layers', count: 0 });
    expect(readStays('3')).toEqual({ kind: 'layers', count: 3 });
    expect(readStays('3:latest')).toMatchObject({ kind: 'base', input: { kind: 'image' } });
    expect(readStays('./3')).toMatchObject({ kind: 'base', input: { kind: 'file' } });
    expect(() => readStays(-1)).toThrow(new UsageError('-1 is no number of layers'));
    expect(() => readStays(1.5)).toThrow(new UsageError('1.5 is no number of layers'));
  });

  test('a new name gets its tag, and a wrong one is refused', () => {
    expect(readNewName('docker.io/me/x')).toBe('me/x:latest');
    expect(() => readNewName('Me/X')).toThrow(UsageError);
    expect(() => readNewName('x@sha256:0')).toThrow(
      '"x@sha256:0" is not a valid image name: a digest names an image',
    );
  });
});

describe('the command line', () => {
  test('of squash takes flags in every style, before and after the image', () => {
    const line = readCommandLine([
      'squash',
      '-from=2',
      'app',
      '-t',
      'x',
      '--tag=y',
      '-o',
      '-',
      '-host',
      'tcp://h:1',
    ]);
    expect(line).toMatchObject({
      command: 'squash',
      options: { image: 'app', from: '2', tags: ['x', 'y'], output: '-', engine: { host: 'tcp://h:1' } },
    });
  });

  test.each([
    [['squash'], 'habitus squash needs an IMAGE'],
    [['check-image'], 'habitus check-image needs an IMAGE'],
    [['squash', 'a', 'b'], 'unexpected argument "b": one IMAGE at a time'],
    [['squash', 'a', '--step', 'x'], 'unknown flag "--step"'],
    [
      ['squash', 'a', '--json', '--output', '-'],
      'the archive and the result cannot both go to standard output',
    ],
    [['squsah', 'a'], 'unexpected argument "squsah"'],
    [['--json', 'squash', 'a'], 'unexpected argument "squash"'],
  ])('%j is refused', (argv, message) => {
    expect(() => readCommandLine(argv)).toThrow(expect.objectContaining({ name: 'UsageError', message }));
  });
});
