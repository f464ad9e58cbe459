import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileIgnore, IgnoreSyntaxError, type IgnoreMatcher } from '../../src/tar/ignore.js';

/**
 * What BuildKit makes of `COPY . /` with each `.dockerignore`: recorded with buildx 0.29.1 on Docker 28.5.2. Of the files,
 * `keeps` or `drops` lists those that arrive or do not; with `refused` the build fails on the file.
 */
interface Recorded {
  readonly files: readonly string[];
  readonly cases: readonly (
    | { readonly text: string; readonly keeps: readonly string[] }
    | { readonly text: string; readonly drops: readonly string[] }
    | { readonly text: string; readonly refused: true }
  )[];
}

const recorded = JSON.parse(
  readFileSync(new URL('../fixtures/dockerignore.json', import.meta.url), 'utf8'),
) as Recorded;

/** As a walk does it: folders that need not be looked into are not. */
function arrives(matcher: IgnoreMatcher, file: string): boolean {
  const path = Buffer.from(file, 'utf8').toString('latin1');
  const names = path.split('/');
  const folders = names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'));
  return (
    folders.every((folder) => !matcher.ignores(folder) || matcher.mayContainIncluded(folder)) &&
    !matcher.ignores(path)
  );
}

describe('a .dockerignore does what it does in Docker', () => {
  it.each(recorded.cases.map((one) => [one.text, one] as const))('%j', (text, one) => {
    if ('refused' in one) {
      expect(() => compileIgnore(text)).toThrow(IgnoreSyntaxError);
      return;
    }
    const matcher = compileIgnore(text);
    if ('keeps' in one) expect(recorded.files.filter((file) => arrives(matcher, file))).toEqual(one.keeps);
    else expect(recorded.files.filter((file) => !arrives(matcher, file))).toEqual(one.drops);
  });
});
