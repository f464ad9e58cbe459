/** What a Dockerfile's result is built on. */
import { describe, expect, it } from 'vitest';
import { findBase } from '../../src/dockerfile/stages.js';

const base = (text: string, target?: string): string | undefined =>
  findBase(Buffer.from(text), { buildArgs: { TAG: '2' }, ...(target !== undefined && { target }) })?.image;

describe('the base of a Dockerfile', () => {
  it('is the image of the last FROM', () => {
    expect(base('FROM a AS x\nFROM b\nCOPY --from=x /f /f\n')).toBe('b');
  });

  it('is found through stages of the same file, whatever their case', () => {
    expect(base('FROM debian AS One\nFROM one AS two\nFROM TWO\nRUN x\n')).toBe('debian');
  });

  it('is that of the target', () => {
    expect(base('FROM a AS x\nFROM b AS y\n', 'X')).toBe('a');
  });

  it('is nothing for scratch, also through a stage', () => {
    expect(base('FROM scratch AS empty\nFROM empty\n')).toBeUndefined();
  });

  it('has its global ARGs expanded, build args first', () => {
    expect(base('ARG TAG=1\nFROM app:${TAG}\n')).toBe('app:2');
  });

  it('is an image where a stage of that name comes only later', () => {
    expect(base('FROM late AS first\nFROM b AS late\nFROM first\n')).toBe('late');
  });
});
