/** Serves folders to BuildKit by fsutil's protocol: it compares the list with what it has and asks for what differs. */
import { setImmediate as turn } from 'node:timers/promises';
import { monotonic } from '../clock.js';
import type { ContextEntry } from '../tar/context.js';
import type { LocalFile } from '../tar/local-file.js';
import type { Folder } from './folder.js';
import { followPaths } from './follow-paths.js';
import { Offers, statOf } from './fsutil.js';
import type { Call } from './grpc-call.js';
import type { Handlers } from './grpc-server.js';
import { GrpcError, NonsenseError, STATUS } from './grpc-status.js';
import { frame } from './grpc-frames.js';
import { Outbox } from './outbox.js';
import { dataHeadLength, END_OF_LIST, errorPacket, FINISH, StatPackets, writeDataHead } from './packets.js';
import { CALLS, decodePacket, PACKET } from './wire.js';

/** Files up to this size are read at once, many into one buffer: asking for each would take longer than reading it. */
const SMALL = 1 << 16;
/** Bytes of packets that announce entries: the engine compares the first while the others are made. */
const LISTED_AT_ONCE = 1 << 15;
/** How long others wait at most, in milliseconds. */
const SLICE = 10;

export interface FileSyncListener {
  /** Told when all that was asked for of a folder has been read; it may be asked for again. */
  readonly onSent: (name: string) => void;
  /** Gets what made a folder unreadable, before the build fails of it. */
  readonly onFailure: (error: Error) => void;
}

/** @param folders by the names that builds ask for, `context` and `dockerfile` */
export function fileSyncService(
  folders: ReadonlyMap<string, Folder>,
  { onSent, onFailure }: FileSyncListener,
): Handlers {
  return new Map([
    [
      CALLS.diffCopy,
      async (call) => {
        const [name = ''] = requested(call, 'dir-name');
        const folder = folders.get(name);
        if (folder === undefined) throw new GrpcError(STATUS.notFound, `no folder ${name} here`);
        const outbox = new Outbox((bytes) => call.sendFramed(bytes));
        try {
          await new Transfer(call, folder, outbox).run();
          onSent(name);
        } catch (error) {
          if (call.signal.aborted) return;
          // That is no fault of the folder.
          if (error instanceof NonsenseError) throw error;
          const failure = error instanceof Error ? error : new Error(String(error));
          onFailure(failure);
          await call.send(errorPacket(failure.message));
          throw failure;
        }
      },
    ],
  ]);
}

class Transfer {
  readonly #call: Call;
  readonly #folder: Folder;
  readonly #outbox: Outbox;
  /** What is announced; absent until it is. */
  #offers: Offers | undefined;
  readonly #requests = new Requests();
  #until = monotonic() + SLICE;

  constructor(call: Call, folder: Folder, outbox: Outbox) {
    this.#call = call;
    this.#folder = folder;
    this.#outbox = outbox;
  }

  /** Resolves when the other side has all it wants. */
  async run(): Promise<void> {
    try {
      await Promise.all([this.#receive(), this.#list(), this.#answer()]);
    } finally {
      this.#requests.end();
    }
    await this.#outbox.finish();
  }

  async #receive(): Promise<void> {
    for await (const message of this.#call.messages()) {
      const { type, id } = decodePacket(message);
      switch (type) {
        case PACKET.request:
          this.#requests.add(id);
          break;
        case PACKET.finish:
          this.#requests.end();
          await this.#put(FINISH);
          return;
        case PACKET.error:
          // The build tells why itself.
          this.#requests.end();
          return;
        default:
          throw new Error(`The engine sent a packet of unknown type ${type}`);
      }
    }
    this.#requests.end();
  }

  async #list(): Promise<void> {
    const packets = new StatPackets();
    const all = await this.#folder.list(this.#call.signal);
    const offers = new Offers(all, followPaths(all, requested(this.#call, 'followpaths')));
    this.#offers = offers;
    for (let number = 0; number < offers.count; number++) {
      if (packets.add(statOf(offers.entry(number))) < LISTED_AT_ONCE) continue;
      await this.#putFramed(packets.take());
      this.#outbox.flush();
      await this.#giveWay();
    }
    await this.#putFramed(packets.take());
    await this.#put(END_OF_LIST);
    this.#outbox.flush();
  }

  async #answer(): Promise<void> {
    for await (const number of this.#requests.all(() => {
      this.#outbox.flush();
    })) {
      await this.#send(number);
      await this.#giveWay();
    }
  }

  async #send(number: number): Promise<void> {
    const entry = this.#offers?.content(number);
    if (entry === undefined) throw new Error(`The engine asked for file ${number}, which was not offered`);
    if (entry.size > 0) {
      using file = this.#folder.openFile(entry);
      if (file === undefined) await this.#sendStream(number, entry);
      else if (entry.size <= SMALL) await this.#sendSmall(number, entry.size, file);
      else await this.#sendLarge(number, file);
    }
    await this.#outbox.put(dataHeadLength(number, 0), (target) => writeDataHead(target, 0, number, 0));
  }

  /** Read in between other small ones, into what is sent next. */
  async #sendSmall(number: number, size: number, file: LocalFile): Promise<void> {
    // The byte more than its size shows that a file grew.
    await this.#outbox.put(dataHeadLength(number, size) + size + 1, (target) => {
      let at = writeDataHead(target, 0, number, size);
      while (!file.atEnd) at += file.readNow(target.subarray(at));
      return at;
    });
  }

  /** Read piece by piece, each sent from where it was read to. */
  async #sendLarge(number: number, file: LocalFile): Promise<void> {
    this.#outbox.flush();
    const { size } = this.#outbox;
    const room = dataHeadLength(number, size);
    while (!file.atEnd) {
      const buffer = await this.#outbox.take();
      const length = await file.read(buffer.subarray(room));
      if (length === 0) {
        this.#outbox.give(buffer);
        continue;
      }
      const start = room - dataHeadLength(number, length);
      writeDataHead(buffer, start, number, length);
      this.#outbox.post(buffer, start, room + length);
    }
  }

  /** What comes from elsewhere is in memory that is not ours. */
  async #sendStream(number: number, entry: ContextEntry): Promise<void> {
    const most = this.#outbox.size - dataHeadLength(number, this.#outbox.size);
    for await (const piece of this.#folder.open(entry, this.#call.signal)) {
      const chunk = piece as Buffer;
      for (let start = 0; start < chunk.length; start += most) {
        const data = chunk.subarray(start, start + most);
        await this.#outbox.put(dataHeadLength(number, data.length) + data.length, (target) => {
          const at = writeDataHead(target, 0, number, data.length);
          return at + data.copy(target, at);
        });
      }
    }
  }

  #put(message: Buffer): Promise<void> {
    return this.#putFramed(frame(message));
  }

  #putFramed(messages: Buffer): Promise<void> {
    return this.#outbox.put(messages.length, (target) => messages.copy(target));
  }

  async #giveWay(): Promise<void> {
    if (monotonic() < this.#until) return;
    await turn();
    this.#until = monotonic() + SLICE;
  }
}

/** The numbers of files that were asked for and not yet sent. */
class Requests {
  readonly #numbers: number[] = [];
  #wake: () => void = () => undefined;
  #over = false;

  add(number: number): void {
    this.#numbers.push(number);
    this.#wake();
  }

  end(): void {
    this.#over = true;
    this.#wake();
  }

  /** Until `end`. @param onWait called before more are waited for */
  async *all(onWait: () => void): AsyncGenerator<number, void, undefined> {
    for (;;) {
      const number = this.#numbers.shift();
      if (number !== undefined) yield number;
      else if (this.#over) return;
      else {
        onWait();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/** A list in the call's headers, as latin1 like all names here. */
function requested(call: Call, key: string): readonly string[] {
  const values = call.header(key);
  if (!call.header(`${key}-encoded`).includes('1')) return values;
  return values.map((value) =>
    Buffer.from(decodeURIComponent(value.replaceAll('+', ' '))).toString('latin1'),
  );
}
