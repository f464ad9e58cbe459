import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { deferArtifact } from '../../src/tar/deferred-artifact.js';
import { encode, folder, member, NEVER, readAll, type Member } from '../support/tar.js';

const PIECE = 1 << 16;

/** An archive as an engine sends it, and how much of it was taken. */
class Sent {
  taken = 0;
  readonly archive: Buffer;

  constructor(members: readonly Member[]) {
    this.archive = encode(members);
  }

  stream(): Readable {
    const pieces = function* (this: Sent): Generator<Buffer> {
      for (let at = 0; at < this.archive.length; at += PIECE) {
        this.taken += Math.min(PIECE, this.archive.length - at);
        yield this.archive.subarray(at, at + PIECE);
      }
    };
    return Readable.from(pieces.call(this), { objectMode: false });
  }
}

const LARGE = 'x'.repeat(1 << 22);

describe('an artifact whose contents stay in the engine', () => {
  it('takes of a file the header alone, and its content when somebody asks for it', async () => {
    const sent = new Sent([member({ path: 'app', mode: 0o755 }, LARGE)]);
    const source = { source: '/out/app', destination: 'bin' };
    const stream = sent.stream();
    let fetched = 0;
    const fetch = () => {
      fetched += 1;
      return Promise.resolve(sent.stream());
    };
    await using artifact = await deferArtifact(stream, source, fetch, NEVER);
    const [entry] = artifact.entries;
    expect(entry).toMatchObject({ path: 'bin/app', type: 'file', mode: 0o755, size: LARGE.length });
    expect(stream.destroyed).toBe(true);
    expect(sent.taken).toBeLessThan(LARGE.length / 4);
    expect(fetched).toBe(0);
    const [one, other] = await Promise.all(
      [1, 2].map(() => readAll(artifact.open(entry ?? expect.fail(), NEVER))),
    );
    expect([one?.toString(), other?.toString()]).toEqual([LARGE, LARGE]);
    expect(fetched).toBe(1);
  });

  it('reads a folder to its end, and refuses one that is cut off', async () => {
    const sent = new Sent([folder('d'), member({ path: 'd/a' }, LARGE), member({ path: 'd/b' }, 'y')]);
    const source = { source: '/d', destination: '' };
    const fetch = () => Promise.reject(new Error('not asked for'));
    await using artifact = await deferArtifact(sent.stream(), source, fetch, NEVER);
    expect(artifact.entries.map(({ path }) => path)).toEqual(['d', 'd/a', 'd/b']);
    const cut = Readable.from([sent.archive.subarray(0, 4096)], { objectMode: false });
    await expect(deferArtifact(cut, source, fetch, NEVER)).rejects.toThrow('the archive');
  });

  it('stops reading when it is not wanted any more', async () => {
    const reason = new Error('enough');
    const stop = new AbortController();
    const stream = new Readable({ read: () => undefined });
    const deferred = deferArtifact(
      stream,
      { source: '/f', destination: '' },
      () => Promise.reject(new Error('not asked for')),
      stop.signal,
    );
    stop.abort(reason);
    await expect(deferred).rejects.toBe(reason);
    expect(stream.destroyed).toBe(true);
  });
});
