/** The classic builder's talk made into events: the same shape as BuildKit's, and what it would leave behind. */
import type { BuilderEvent } from '../core/ports.js';
import type { StepError } from '../core/errors.js';
import { buildError, exitCodeOf } from './failure.js';
import { LineSplitter } from '../core/lines.js';
import { Tail } from './tail.js';

/** One line of the answer to `POST /build`; only what is read. */
export interface ClassicMessage {
  readonly stream?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message?: string };
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: object;
}

interface Instruction {
  readonly id: string;
  /** `[2/5] RUN make`, as BuildKit would say it. */
  readonly text: string;
  readonly source: string;
  readonly startedAt: number;
  cached: boolean;
  /** Short ID while its container works: all that comes then is output, whatever it looks like. */
  running?: string;
}

/** The API marks stderr by wrapping each piece in these. */
const STDERR = { start: '\u001b[91m', end: '\u001b[0m' };

export class ClassicOutput {
  /** Short IDs of the images of its instructions, made or found in the cache, oldest first; bases are not among them. */
  readonly images: string[] = [];
  /** Short IDs of containers that it started and did not report as removed. */
  readonly openContainers = new Set<string>();
  usedCache = false;

  readonly #onEvent: (event: BuilderEvent) => void;
  readonly #removesContainers: boolean;
  readonly #known = new Set<string>();
  #splitters = this.#newSplitters();
  #tail = new Tail();
  #current: Instruction | undefined;

  /** @param removesContainers whether the builder was told to remove each container after its instruction */
  constructor(onEvent: (event: BuilderEvent) => void, removesContainers: boolean) {
    this.#onEvent = onEvent;
    this.#removesContainers = removesContainers;
  }

  /** @returns the failure, if this message tells one */
  message(message: ClassicMessage): StepError | undefined {
    if (message.error !== undefined || message.errorDetail !== undefined) return this.#fail(message);
    if (message.stream !== undefined) this.#stream(message.stream);
    else if (message.status !== undefined && message.progressDetail === undefined) {
      this.#line('stdout', message.id === undefined ? message.status : `${message.id}: ${message.status}`);
    }
    return undefined;
  }

  /** Whether a text names by its ID an image that was told of. */
  namesImage(text: string): boolean {
    return Array.from(text.matchAll(/sha256:([0-9a-f]{12})/g)).some(([, id = '']) => this.#known.has(id));
  }

  /** Whether it is still at a FROM, maybe pulling, or has not said anything yet. */
  get isAtBase(): boolean {
    return this.#current === undefined || isFrom(this.#current);
  }

  /** The build has succeeded. */
  end(): void {
    this.#finish();
  }

  #stream(raw: string): void {
    const running = this.#current?.running;
    const stderr = markedAsStderr(raw);
    if (running !== undefined) {
      if (stderr === undefined && this.#endsContainer(raw, running)) return;
      if (stderr === undefined) this.#splitters.stdout.write(Buffer.from(raw));
      else this.#splitters.stderr.write(Buffer.from(stderr));
      return;
    }
    const text = stderr ?? raw;
    const step = /^Step (\d+)\/(\d+) : ([\s\S]*)$/.exec(text);
    if (step !== null) {
      this.#start(step[1] ?? '', step[2] ?? '', step[3] ?? '');
      return;
    }
    const arrow = /^ ---> (.*)\n$/.exec(text)?.[1];
    if (arrow !== undefined) this.#arrow(arrow);
    else this.#warn(/^\[Warning\] (.*)\n$/.exec(text)?.[1]);
  }

  #arrow(said: string): void {
    const container = /^Running in ([0-9a-f]+)$/.exec(said)?.[1];
    if (container !== undefined) {
      if (this.#current) this.#current.running = container;
      this.openContainers.add(container);
      this.#onEvent({ type: 'made', made: { kind: 'container', id: container } });
    } else if (said === 'Using cache') {
      this.usedCache = true;
      if (this.#current) this.#current.cached = true;
    } else if (/^[0-9a-f]{12,64}$/.test(said)) this.#image(said);
    else this.#warn(/^\[Warning\] (.*)$/.exec(said)?.[1]);
  }

  #image(id: string): void {
    const isNew = !this.#known.has(id);
    this.#known.add(id);
    if (!isNew || this.#current === undefined || isFrom(this.#current)) return;
    this.images.push(id);
    if (!this.#current.cached) this.#onEvent({ type: 'made', made: { kind: 'image', id } });
  }

  /** Engines say `Removing intermediate container ID` (20.10) or ` ---> Removed intermediate container ID`. */
  #endsContainer(text: string, running: string): boolean {
    const removed = /^(?:Removing| ---> Removed) intermediate container ([0-9a-f]+)\n$/.exec(text)?.[1];
    if (removed === running) {
      this.openContainers.delete(running);
      delete this.#current?.running;
      this.#flush();
      return true;
    }
    const image = this.#removesContainers ? undefined : /^ ---> ([0-9a-f]{12,64})\n$/.exec(text)?.[1];
    if (image === undefined) return false;
    delete this.#current?.running;
    this.#flush();
    this.#image(image);
    return true;
  }

  #start(number: string, total: string, source: string): void {
    this.#finish();
    this.#tail = new Tail();
    const text = `[${number}/${total}] ${source}`;
    this.#current = { id: number, text, source, startedAt: Date.now(), cached: false };
    this.#onEvent({ type: 'instruction', instruction: { state: 'started', id: number, text } });
  }

  #finish(): void {
    this.#flush();
    if (this.#current === undefined) return;
    const { id, text, cached, startedAt } = this.#current;
    const durationMs = Date.now() - startedAt;
    this.#onEvent({ type: 'instruction', instruction: { state: 'finished', id, text, cached, durationMs } });
    this.#current = undefined;
  }

  #fail(message: ClassicMessage): StepError {
    this.#flush();
    const reason = message.errorDetail?.message ?? message.error ?? '';
    const failed = this.#current;
    if (failed !== undefined) {
      const { id, text, startedAt } = failed;
      const durationMs = Date.now() - startedAt;
      this.#onEvent({ type: 'instruction', instruction: { state: 'failed', id, text, durationMs } });
      this.#current = undefined;
    }
    return buildError({
      instruction: failed?.source,
      reason,
      exitCode: message.errorDetail?.code ?? exitCodeOf(reason),
      output: this.#tail.lines,
    });
  }

  #line(stream: 'stdout' | 'stderr', line: string): void {
    this.#tail.push(line);
    this.#onEvent({ type: 'output', stream, line });
  }

  #warn(message: string | undefined): void {
    if (message !== undefined) this.#onEvent({ type: 'warning', message });
  }

  #flush(): void {
    this.#splitters.stdout.end();
    this.#splitters.stderr.end();
    this.#splitters = this.#newSplitters();
  }

  #newSplitters(): Readonly<Record<'stdout' | 'stderr', LineSplitter>> {
    return {
      stdout: new LineSplitter((line) => {
        this.#line('stdout', line);
      }),
      stderr: new LineSplitter((line) => {
        this.#line('stderr', line);
      }),
    };
  }
}

function isFrom({ source }: Instruction): boolean {
  return /^FROM\b/i.test(source);
}

function markedAsStderr(text: string): string | undefined {
  const marked = text.startsWith(STDERR.start) && text.endsWith(STDERR.end);
  return marked ? text.slice(STDERR.start.length, -STDERR.end.length) : undefined;
}
