/** How files come to BuildKit, with the test in its place: it gets the list and asks for what it wants. */
import { once } from 'node:events';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileSyncService } from '../../src/engine/file-sync.js';
import { Folder } from '../../src/engine/folder.js';
import { bytesOf, fieldsOf, MessageWriter } from '../../src/engine/protobuf.js';
import { CALLS, decodePacket, PACKET } from '../../src/engine/wire.js';
import { createContext } from '../../src/tar/overlay.js';
import { grpcScene, outcomeOf, type Duplex, type Scene } from '../support/grpc.js';

const packet = (type: number, id = 0): Buffer =>
  Buffer.from(new MessageWriter().number(1, type).number(3, id).bytes);

interface Received {
  /** By place in the list. */
  readonly paths: readonly string[];
  readonly contents: ReadonlyMap<string, string>;
}

describe('a folder that BuildKit asks for', () => {
  let folder: string;
  let scene: Scene;
  let failures: Error[];
  let sent: string[];
  beforeEach(() => {
    sent = [];
    folder = mkdtempSync(join(tmpdir(), 'hab-sync-'));
    failures = [];
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const at = (path: string): string => join(folder, path);

  async function open(headers: Record<string, string | readonly string[]> = {}): Promise<Duplex> {
    const context = createContext({ directory: folder, workDirectory: folder, artifacts: [] });
    const service = fileSyncService(new Map([['context', new Folder(context)]]), {
      onSent: (name) => sent.push(name),
      onFailure: (error) => failures.push(error),
    });
    scene = await grpcScene(service);
    return scene.open(CALLS.diffCopy, { 'dir-name': 'context', ...headers });
  }

  /** As fsutil's receiver: asks while the list comes, and ends when it has all. */
  async function receive(call: Duplex, wants: (path: string) => boolean = () => true): Promise<Received> {
    const paths: string[] = [];
    const open = new Map<number, Buffer[]>();
    const contents = new Map<string, string>();
    let listed = false;
    const finish = (): void => {
      if (listed && open.size === 0) call.write(packet(PACKET.finish));
    };
    call.on('data', (message: Buffer) => {
      const { type, id } = decodePacket(message);
      if (type === PACKET.finish) call.end();
      else if (type === PACKET.data) {
        const data = bytesOf(message, 4);
        if (data.length > 0) open.get(id)?.push(Buffer.from(data));
        else {
          contents.set(paths[id] ?? '', Buffer.concat(open.get(id) ?? []).toString('latin1'));
          open.delete(id);
          finish();
        }
      } else if (type === PACKET.stat) {
        const stat = bytesOf(message, 2);
        if (stat.length === 0) {
          listed = true;
          finish();
          return;
        }
        const path = bytesOf(stat, 1).toString('latin1');
        const number = paths.push(path) - 1;
        const fields = new Map(Array.from(fieldsOf(stat), (field) => [field.number, field.value]));
        const isFile = Number(fields.get(2)) < 2 ** 25 && !fields.has(7);
        if (!isFile || !wants(path)) return;
        open.set(number, []);
        call.write(packet(PACKET.request, number));
      }
    });
    expect(await outcomeOf(call)).toMatchObject({ code: status.OK });
    return { paths, contents };
  }

  it('arrives whole, whatever the sizes of its files', async () => {
    mkdirSync(at('d'));
    await fc.assert(
      fc.asyncProperty(
        // Around what is read at once, what is sent at once, and both together.
        fc.array(
          fc.oneof(
            fc.integer({ min: 0, max: 3000 }),
            fc.constantFrom(65_535, 65_536, 65_537, 262_100, 262_144, 600_000),
          ),
          { maxLength: 12 },
        ),
        async (sizes) => {
          const files = new Map(
            sizes.map((size, i) => [`d/f${String(i).padStart(2, '0')}`, String(i % 10).repeat(size)]),
          );
          for (const [path, content] of files) writeFileSync(at(path), content);
          const received = await receive(await open());
          expect(received.paths).toEqual(['d', ...files.keys()]);
          expect(received.contents).toEqual(files);
          await scene[Symbol.asyncDispose]();
          for (const path of files.keys()) rmSync(at(path));
        },
      ),
      { numRuns: 15 },
    );
  });

  it('sends only what is asked for, of what is named alone', async () => {
    for (const name of ['a, b', 'a', 'c']) writeFileSync(at(name), name);
    linkSync(at('a'), at('l'));
    symlinkSync('a', at('s'));
    const call = await open({ followpaths: ['a, b', 's', 'l'] });
    const { paths, contents } = await receive(call, (path) => path !== 'a');
    expect(paths).toEqual(['a', 'a, b', 'l', 's']);
    expect(contents).toEqual(new Map([['a, b', 'a, b']]));
    expect(sent).toEqual(['context']);
  });

  it('has names of any kind, which arrive encoded', async () => {
    writeFileSync(at('né +&'), 'x');
    writeFileSync(at('other'), 'y');
    const call = await open({ followpaths: 'n%C3%A9+%2B%26', 'followpaths-encoded': '1' });
    expect((await receive(call)).paths).toEqual([Buffer.from('né +&').toString('latin1')]);
  });

  it('fails where a file is not any more what was announced, and says which', async () => {
    for (const size of [100, 1_000_000]) {
      writeFileSync(at('f'), 'x'.repeat(size));
      const call = await open();
      const packets: Buffer[] = [];
      call.on('data', (message: Buffer) => {
        packets.push(message);
        if (decodePacket(message).type !== PACKET.stat || bytesOf(message, 2).length > 0) return;
        truncateSync(at('f'), size - 1);
        call.write(packet(PACKET.request, 0));
      });
      const message = '"f" of the context changed while it was being read';
      expect(await outcomeOf(call)).toMatchObject({ code: status.UNKNOWN, details: message });
      const last = packets.at(-1) ?? expect.fail();
      expect(decodePacket(last).type).toBe(PACKET.error);
      expect(bytesOf(last, 4).toString()).toBe(message);
      expect(failures.splice(0).map((failure) => failure.message)).toEqual([message]);
      expect(sent).toEqual([]);
      await scene[Symbol.asyncDispose]();
    }
  });

  it('is not blamed when the build goes away in the middle', async () => {
    writeFileSync(at('f'), Buffer.alloc(1 << 24));
    const call = await open();
    call.on('error', () => undefined);
    await once(call, 'data');
    call.write(packet(PACKET.request, 0));
    await once(call, 'data');
    call.cancel();
    const again = scene.open(CALLS.diffCopy, { 'dir-name': 'context' });
    expect((await receive(again)).paths).toEqual(['f']);
    expect(failures).toEqual([]);
  });

  it('is refused under another name, and to who asks for what was not offered', async () => {
    const other = await open({ 'dir-name': 'elsewhere' });
    other.end();
    expect(await outcomeOf(other)).toMatchObject({
      code: status.NOT_FOUND,
      details: 'no folder elsewhere here',
    });
    const call = scene.open(CALLS.diffCopy, { 'dir-name': 'context' });
    call.write(packet(PACKET.request, 7));
    expect(await outcomeOf(call)).toMatchObject({
      code: status.UNKNOWN,
      details: 'The engine asked for file 7, which was not offered',
    });
  });
});
