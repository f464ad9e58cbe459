/** The raw scanner and the header writer against tar-stream, on what that library carries without loss. */
import { buffer, text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extract, pack, type Header } from 'tar-stream';
import { encode, folder, member, scan, type Member } from '../support/tar.js';

const name = fc.stringMatching(/^[a-zA-Z0-9 _.-]{1,120}$/).filter((part) => part !== '.' && part !== '..');
const file = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
  mode: fc.integer({ min: 1, max: 0o7777 }),
  uid: fc.nat(0o777777),
  mtime: fc.nat(2_000_000_000),
  content: fc.stringMatching(/^[ -~\n]{0,2000}$/),
});
const files = fc.uniqueArray(file, { maxLength: 6, selector: ({ path }) => path });

async function readByTarStream(archive: Buffer): Promise<{ header: Header; content: string }[]> {
  const found: { header: Header; content: string }[] = [];
  for await (const entry of Readable.from([archive]).pipe(extract())) {
    found.push({ header: entry.header, content: await text(entry) });
  }
  return found;
}

describe('tar-stream', () => {
  it('reads what the header writer wrote', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (wanted) => {
        const members: Member[] = wanted.map(({ path, mode, uid, mtime, content }) =>
          member({ path, mode, uid, mtimeNs: BigInt(mtime) * 1_000_000_000n }, content),
        );
        const found = await readByTarStream(encode(members));
        expect(
          found.map(({ header: { name: path, mode, uid, mtime }, content }) => {
            return { path, mode, uid, mtime: mtime.getTime() / 1000, content };
          }),
        ).toEqual(wanted);
      }),
    );
  });

  it('reads folders and links, too', async () => {
    const link = { size: 0, mode: 0o777 } as const;
    const found = await readByTarStream(
      encode([
        folder('d'),
        member({ path: 'd/f' }, 'x'),
        member({ ...link, path: 'd/s', type: 'symlink', linkname: '../elsewhere' }),
        member({ ...link, path: 'd/h', type: 'hardlink', linkname: 'd/f' }),
      ]),
    );
    expect(found.map(({ header: { type, linkname } }) => [type, linkname])).toEqual([
      ['directory', null],
      ['file', null],
      ['symlink', '../elsewhere'],
      ['link', 'd/f'],
    ]);
  });

  it('writes what the scanner reads', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (wanted) => {
        const packing = pack();
        for (const { path, mode, uid, mtime, content } of wanted) {
          packing.entry({ name: path, mode, uid, mtime: new Date(mtime * 1000) }, content);
        }
        packing.finalize();
        const archive = await buffer(packing);
        expect(
          scan(archive).map(({ entry: { path, mode, uid, mtimeNs }, content }) => {
            return { path, mode, uid, mtime: Number(mtimeNs / 1_000_000_000n), content: content.toString() };
          }),
        ).toEqual(wanted);
      }),
    );
  });
});
