/** Serves folders to BuildKit by fsutil's protocol: it compares the list with what it has and asks for what differs. */
import { once } from 'node:events';
import { status, type Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { ContextEntry } from '../tar/context.js';
import type { Folder } from './folder.js';
import { followPaths } from './follow-paths.js';
import { offerKept, statOf, type Offer } from './fsutil.js';
import type { SessionService } from './session.js';
import { FileSync, PACKET, type Packet } from './wire.js';

type Call = ServerDuplexStream<Packet, Packet>;

/** Files sent at the same time: hides the time that opening small ones takes. */
const PARALLEL = 8;
/** Each is copied twice on its way out: larger copies are collected later. */
const LARGEST_PIECE = 1 << 17;

/**
 * @param folders by the names that builds ask for, `context` and `dockerfile`
 * @param onFailure gets what made a folder unreadable, before the build fails of it
 */
export function fileSyncService(
  folders: ReadonlyMap<string, Folder>,
  onFailure: (error: Error) => void,
): SessionService {
  return {
    definition: FileSync,
    handlers: {
      DiffCopy(call: Call) {
        serve(call, folders).catch((error: unknown) => {
          if (call.cancelled) return;
          const failure = error instanceof Error ? error : new Error(String(error));
          onFailure(failure);
          call.write({ type: PACKET.error, data: Buffer.from(failure.message) });
          call.emit('error', { code: status.UNKNOWN, details: failure.message });
        });
      },
    },
  };
}

async function serve(call: Call, folders: ReadonlyMap<string, Folder>): Promise<void> {
  const [name = ''] = requested(call.metadata, 'dir-name');
  const folder = folders.get(name);
  if (folder === undefined) {
    call.emit('error', { code: status.NOT_FOUND, details: `no folder ${name} here` });
    return;
  }
  const over = new AbortController();
  call.once('cancelled', () => {
    over.abort();
  });
  try {
    await new Transfer(call, folder, over.signal).run();
  } finally {
    over.abort();
  }
}

class Transfer {
  readonly #call: Call;
  readonly #folder: Folder;
  readonly #signal: AbortSignal;
  /** Entries with content by number of their place in the list. */
  readonly #files = new Map<number, ContextEntry>();
  readonly #asked: number[] = [];
  #working = 0;

  constructor(call: Call, folder: Folder, signal: AbortSignal) {
    this.#call = call;
    this.#folder = folder;
    this.#signal = signal;
    call.setMaxListeners(PARALLEL + 10);
  }

  /** Resolves when the other side has all it wants. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve, reject) => {
      this.#call.on('data', (packet: Packet) => {
        this.#receive(packet, resolve, reject);
      });
      this.#call.on('end', resolve);
      this.#call.on('cancelled', resolve);
    });
    await Promise.all([finished, this.#list()]);
    this.#call.end();
  }

  #receive(packet: Packet, resolve: () => void, reject: (error: Error) => void): void {
    switch (packet.type) {
      case PACKET.request:
        this.#asked.push(packet.ID ?? 0);
        this.#work(reject);
        break;
      case PACKET.finish:
        this.#call.write({ type: PACKET.finish });
        resolve();
        break;
      case PACKET.error:
        // The build tells why itself.
        resolve();
        break;
      default:
        reject(new Error(`The engine sent a packet of unknown type ${packet.type}`));
    }
  }

  async #list(): Promise<void> {
    let number = 0;
    for (const { entry, content } of await this.#selected()) {
      if (content !== undefined) this.#files.set(number, content);
      number += 1;
      await this.#write({ type: PACKET.stat, stat: statOf(entry) });
    }
    await this.#write({ type: PACKET.stat });
  }

  async #selected(): Promise<readonly Offer[]> {
    const all = await this.#folder.list(this.#signal);
    const paths = requested(this.#call.metadata, 'followpaths');
    // Repeated metadata arrive joined by `, `: with such names about, nobody can tell where one path ends.
    const kept = all.some(({ path }) => path.includes(', ')) ? all : followPaths(all, paths);
    return offerKept(kept, all);
  }

  #work(reject: (error: Error) => void): void {
    while (this.#working < PARALLEL) {
      const number = this.#asked.shift();
      if (number === undefined) return;
      this.#working += 1;
      this.#send(number).then(
        () => {
          this.#working -= 1;
          this.#work(reject);
        },
        (error: unknown) => {
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    }
  }

  async #send(number: number): Promise<void> {
    const entry = this.#files.get(number);
    if (entry === undefined) throw new Error(`The engine asked for file ${number}, which was not offered`);
    this.#files.delete(number);
    if (entry.size > 0) {
      for await (const piece of this.#folder.open(entry, this.#signal)) {
        const chunk = piece as Buffer;
        for (let start = 0; start < chunk.length; start += LARGEST_PIECE) {
          const data = chunk.subarray(start, start + LARGEST_PIECE);
          await this.#write({ type: PACKET.data, ID: number, data });
        }
      }
    }
    await this.#write({ type: PACKET.data, ID: number });
  }

  async #write(packet: Packet): Promise<void> {
    this.#signal.throwIfAborted();
    if (!this.#call.write(packet)) await once(this.#call, 'drain', { signal: this.#signal });
  }
}

/** A list in the call's metadata, as latin1 like all names here. */
function requested(metadata: Metadata, key: string): readonly string[] {
  const encoded = metadata.get(`${key}-encoded`).some((value) => value.toString() === '1');
  return metadata
    .get(key)
    .flatMap((value) => value.toString().split(', '))
    .map((value) => (encoded ? decodeURIComponent(value.replaceAll('+', ' ')) : value))
    .map((value) => Buffer.from(value).toString('latin1'));
}
