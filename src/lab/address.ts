/** Chooses an IPv4 block for an engine's networks that nothing else on the machine uses. */

import { createHash } from 'node:crypto';

/** A /18 of 10.0.0.0/8: its lower half is the default bridge, its upper half the pool for `docker network create`. */
export interface Block {
  /** The whole block in CIDR form. */
  readonly all: string;
  /** Address and prefix of the bridge. */
  readonly bridge: string;
  /** What `--default-address-pool` hands out in pieces of 62 hosts. */
  readonly pool: string;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

const BLOCKS = 1024;
const BLOCK_SIZE = 2 ** 14;
const TEN = 10 * 2 ** 24;

const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

/** The addresses of `10.1.2.0/24` or `10.1.2.3`; undefined for anything else (`default`, IPv6). */
export function rangeOf(cidr: string): Range | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(cidr);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1, 5).map(Number);
  const size = 2 ** (32 - Number(match[5] ?? '32'));
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}

export const overlap = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last;

const blockAt = (index: number): Block => {
  const base = TEN + index * BLOCK_SIZE;
  return {
    all: `${dotted(base)}/18`,
    bridge: `${dotted(base + 1)}/19`,
    pool: `${dotted(base + BLOCK_SIZE / 2)}/19`,
  };
};

/**
 * The first free block, searched from a place that `key` decides, so that an engine gets the same block on most days.
 * `used` are routes, addresses and name servers of the machine in CIDR form; `undefined` when all 1024 blocks are taken.
 */
export function chooseBlock(key: string, used: readonly string[]): Block | undefined {
  const taken = used.map(rangeOf).filter((range) => range !== undefined);
  const from = createHash('sha256').update(key).digest().readUInt32BE(0) % BLOCKS;
  for (let step = 0; step < BLOCKS; step++) {
    const block = blockAt((from + step) % BLOCKS);
    const range = rangeOf(block.all);
    if (range !== undefined && !taken.some((other) => overlap(range, other))) return block;
  }
  return undefined;
}

/** The block that an address of 10.0.0.0/8 belongs to. */
export function blockOf(address: string): Block | undefined {
  const first = rangeOf(address)?.first ?? 0;
  return first >>> 24 === 10 ? blockAt(Math.floor((first - TEN) / BLOCK_SIZE)) : undefined;
}

/** Does this address lie in the block? */
export function isInside(block: Block, address: string): boolean {
  const range = rangeOf(address);
  const all = rangeOf(block.all);
  return range !== undefined && all !== undefined && overlap(range, all);
}
