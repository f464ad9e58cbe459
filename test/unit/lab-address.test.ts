import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockOf, chooseBlock, isInside, overlap, rangeOf } from '../../src/lab/address.js';

const octet = fc.integer({ min: 0, max: 255 });
const cidr = fc
  .tuple(fc.constantFrom(10, 172, 192), octet, octet, octet, fc.integer({ min: 8, max: 32 }))
  .map(([a, b, c, d, bits]) => `${a}.${b}.${c}.${d}/${bits}`);

describe('chooseBlock', () => {
  it('gives a bridge and a pool that are the halves of one block', () => {
    expect(chooseBlock('some engine', [])).toEqual({
      all: '10.248.128.0/18',
      bridge: '10.248.128.1/19',
      pool: '10.248.160.0/19',
    });
  });

  it('never gives addresses that are used, and gives undefined only when all are', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(cidr, { maxLength: 30 }), (key, used) => {
        const block = chooseBlock(key, used);
        const ranges = used.map(rangeOf).filter((range) => range !== undefined);
        if (block === undefined) {
          const taken = ranges.reduce(
            (sum, { first, last }) => sum + Math.ceil((last - first + 1) / 2 ** 14) + 1,
            0,
          );
          expect(taken).toBeGreaterThanOrEqual(1024);
          return;
        }
        for (const part of [block.all, block.bridge, block.pool]) {
          const range = rangeOf(part);
          expect(range && ranges.some((other) => overlap(range, other))).toBe(false);
        }
      }),
    );
  });

  it('moves on when its first choice is taken', () => {
    const first = chooseBlock('some engine', []);
    const second = chooseBlock('some engine', [first?.bridge ?? '']);
    expect(second?.all).toBe('10.248.192.0/18');
  });

  it('gives up when 10.0.0.0/8 is taken', () => {
    expect(chooseBlock('some engine', ['10.0.0.0/8'])).toBeUndefined();
  });
});

describe('rangeOf', () => {
  it.each([
    ['10.1.2.3', { first: 167838211, last: 167838211 }],
    ['255.255.255.0/24', { first: 4294967040, last: 4294967295 }],
    ['10.1.2.3/24', { first: 167838208, last: 167838463 }],
    ['default', undefined],
    ['fe80::1/64', undefined],
    ['', undefined],
  ])('reads %j', (text, range) => {
    expect(rangeOf(text)).toEqual(range);
  });
});

describe('blockOf', () => {
  it('finds the block again from its bridge, its pool, and any network in it', () => {
    const block = chooseBlock('some engine', []);
    const ofParts = ['10.248.128.1', '10.248.160.1/26', '10.248.191.255', block?.bridge ?? ''].map(blockOf);
    expect(ofParts).toEqual([block, block, block, block]);
  });

  it('knows none outside of 10.0.0.0/8', () => {
    expect(['172.17.0.1', '9.255.255.255', '11.0.0.0', 'fe80::1', ''].map(blockOf)).toEqual(
      Array(5).fill(undefined),
    );
  });
});

describe('isInside', () => {
  const block = { all: '10.64.0.0/18', bridge: '10.64.0.1/19', pool: '10.64.32.0/19' };
  it.each([
    ['10.64.0.1', true],
    ['10.64.63.255', true],
    ['10.64.64.0', false],
    ['10.63.255.255', false],
    ['', false],
  ])('says for %j: %j', (address, inside) => {
    expect(isInside(block, address)).toBe(inside);
  });
});
