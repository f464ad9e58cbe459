import { describe, expect, it } from 'vitest';
import { unpredictable } from '../../src/cache/unpredictable.js';

const of = (text: string, args?: Record<string, string>) => unpredictable(Buffer.from(text), args);
const adds = (line: string) => of(`FROM debian:12\n${line}\n`);

describe('a Dockerfile whose result can change without its inputs', () => {
  it.each([
    ['ADD https://example.com/x /x', 'line 2 adds "https://example.com/x", which may have changed since'],
    ['add a HTTP://example.com/x /x', 'line 2 adds "HTTP://example.com/x", which may have changed since'],
    ['ADD ["a", "http://é/x", "/x"]', 'line 2 adds "http://é/x", which may have changed since'],
    [
      'ADD --chown=1 "https://example.com/a" /x',
      'line 2 adds "\\"https://example.com/a\\"", which may have changed since',
    ],
    ['ADD git@github.com:a/b.git /x', 'line 2 adds "git@github.com:a/b.git", which may have changed since'],
    ['ADD ${URL} /x', 'line 2 adds "${URL}", which may have changed since'],
    ['ADD http$S://x /x', 'line 2 adds "http$S://x", which may have changed since'],
    [
      'ADD a \\\n  https://example.com/x /x',
      'line 2 adds "https://example.com/x", which may have changed since',
    ],
    ['ADD --keep-git-dir=true x /x', 'line 2 adds a Git repository, which may have moved on'],
  ])('is one with %s', (line, reason) => {
    expect(adds(line)).toBe(reason);
  });

  it.each([
    'ADD x https://example.com/',
    'ADD app-$VERSION.tar.gz /x',
    'ADD --checksum=sha256:aa https://example.com/x /x',
    'ADD --keep-git-dir=false x /x',
    'COPY https://example.com/x /x',
    'RUN curl https://example.com/x',
    '# ADD https://example.com/x /x',
    'ONBUILD ADD https://example.com/x /x',
    'RUN <<E\nADD https://example.com/x /x\nE',
  ])('is not one with %s', (line) => {
    expect(adds(line)).toBeUndefined();
  });

  it('is one with a frontend of its own', () => {
    const reason = 'the frontend "example/frontend:1" is not known here, nor what it reads';
    expect(of('# syntax=example/frontend:1\nFROM x')).toBe(reason);
    expect(of('#!/bin/x\n#escape=`\n# SYNTAX = example/frontend:1\nFROM x')).toBe(reason);
    expect(of('// syntax=example/frontend:1\nFROM x')).toBe(reason);
    expect(of('\ufeff# syntax=example/frontend:1\nFROM x')).toBe(reason);
    expect(of('FROM x', { BUILDKIT_SYNTAX: 'example/frontend:1' })).toBe(reason);
    expect(of('# syntax=docker/dockerfile:1\nFROM x', { BUILDKIT_SYNTAX: 'example/frontend:1' })).toBe(
      reason,
    );
    expect(of('{"syntax": "example/frontend:1"}')).toContain('is not known here');
  });

  it.each([
    '# syntax=docker/dockerfile:1.4\nFROM x',
    '# syntax=docker.io/docker/dockerfile@sha256:aa\nFROM x',
    '# syntax=docker/dockerfile\nFROM x',
    '# a comment\n# syntax=example/frontend:1\nFROM x',
    'FROM x\n# syntax=example/frontend:1',
  ])('is not one with %o', (text) => {
    expect(of(text)).toBeUndefined();
  });

  it('takes the triggers of a base image as they come', () => {
    expect(of('COPY . /app\nADD https://example.com/x /x')).toBe(
      'line 2 adds "https://example.com/x", which may have changed since',
    );
  });
});
