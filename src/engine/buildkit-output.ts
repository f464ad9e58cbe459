/** BuildKit's progress made into events: vertexes become instructions, logs become lines. */
import { LineSplitter } from '../core/lines.js';
import type { BuilderEvent } from '../core/ports.js';
import type { StepError } from '../core/errors.js';
import { buildError, exitCodeOf } from './failure.js';
import { Tail } from './tail.js';
import { decodeTrace, type Trace, type TraceTime, type TraceVertex } from './wire.js';

/** One line of the answer to `POST /build` of version 2; only what is read. */
export interface BuildKitMessage {
  readonly id?: string;
  readonly aux?: unknown;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

interface Vertex {
  readonly id: string;
  text: string;
  state: 'waiting' | 'started' | 'over';
  /** What broke it, unless it was stopped because another one broke. */
  broken: string | undefined;
  readonly tail: Tail;
  readonly lines: Readonly<Record<'stdout' | 'stderr', LineSplitter>>;
}

export class BuildKitOutput {
  readonly #onEvent: (event: BuilderEvent) => void;
  readonly #vertexes = new Map<string, Vertex>();
  readonly #warned = new Set<string>();
  #imageId: string | undefined;
  #lacksImage = false;

  constructor(onEvent: (event: BuilderEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** As it was announced: on the containerd store that is another one than it is listed under. */
  get imageId(): string | undefined {
    return this.#imageId;
  }

  /** Whether it failed since an image that it names could not be found. */
  get lacksImage(): boolean {
    return this.#lacksImage;
  }

  /** @returns the failure, if this message tells one */
  message(message: BuildKitMessage): StepError | undefined {
    if (message.id === 'moby.buildkit.trace' && typeof message.aux === 'string') {
      this.#trace(decodeTrace(message.aux));
    }
    if (message.id === 'moby.image.id') this.#imageId = (message.aux as { readonly ID?: string }).ID;
    const reason = message.errorDetail?.message ?? message.error;
    return reason === undefined ? undefined : this.#fail(reason);
  }

  #trace(trace: Trace): void {
    for (const vertex of trace.vertexes) this.#begin(vertex);
    for (const { vertex, stream, msg } of trace.logs) {
      this.#vertexes.get(vertex)?.lines[stream === 2 ? 'stderr' : 'stdout'].write(msg);
    }
    for (const warning of trace.warnings) this.#warn(warning);
    // The last output comes in the same message as the end of its vertex.
    for (const vertex of trace.vertexes) if (vertex.completed) this.#complete(vertex);
  }

  #begin({ digest, name, started, completed }: TraceVertex): void {
    const vertex = this.#vertexes.get(digest) ?? this.#add(digest);
    vertex.text = name;
    if (vertex.state !== 'waiting' || !(started ?? completed)) return;
    vertex.state = 'started';
    this.#onEvent({ type: 'instruction', instruction: { state: 'started', id: vertex.id, text: name } });
  }

  #complete({ digest, name: text, cached, started, completed, error }: TraceVertex): void {
    const vertex = this.#vertexes.get(digest);
    if (vertex?.state !== 'started') return;
    vertex.state = 'over';
    vertex.lines.stdout.end();
    vertex.lines.stderr.end();
    const durationMs = milliseconds(started, completed);
    const { id } = vertex;
    if (error === '') {
      this.#onEvent({
        type: 'instruction',
        instruction: { state: 'finished', id, text, cached, durationMs },
      });
      return;
    }
    if (!/context canceled/.test(error)) vertex.broken = error;
    this.#onEvent({ type: 'instruction', instruction: { state: 'failed', id, text, durationMs } });
  }

  #add(digest: string): Vertex {
    const tail = new Tail();
    const splitter = (stream: 'stdout' | 'stderr'): LineSplitter =>
      new LineSplitter((line) => {
        tail.push(line);
        this.#onEvent({ type: 'output', stream, line });
      });
    const lines = { stdout: splitter('stdout'), stderr: splitter('stderr') };
    const id = String(this.#vertexes.size + 1);
    const vertex: Vertex = { id, text: '', state: 'waiting', broken: undefined, tail, lines };
    this.#vertexes.set(digest, vertex);
    return vertex;
  }

  #fail(reason: string): StepError {
    const culprit = [...this.#vertexes.values()].find(({ broken }) => broken !== undefined);
    const why = culprit?.broken ?? reason;
    const image = LOOK_FOR_IMAGE.exec(culprit?.text ?? '')?.[1];
    this.#lacksImage = image !== undefined;
    return buildError({
      instruction: culprit ? instructionOf(culprit.text) : commandOf(reason),
      reason: image === undefined ? why : `${image}: ${why}`,
      exitCode: exitCodeOf(why),
      output: culprit?.tail.lines ?? [],
    });
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#onEvent({ type: 'warning', message });
  }
}

const LOOK_FOR_IMAGE = /^\[internal\] load metadata for (.*)$/;

/** Whether this is what an instruction is told as that looks for the image behind a FROM or `--from`. */
export function isLookForImage(text: string): boolean {
  return LOOK_FOR_IMAGE.test(text);
}

/** `[builder 2/3] RUN make` → `RUN make`; nothing for BuildKit's own work. */
function instructionOf(text: string): string | undefined {
  return text.startsWith('[internal]') ? undefined : text.replace(/^\[[^\]]*\]\s+/, '');
}

/**
 * Where equal instructions of two builds run at the same time, 20.10 runs one for both and tells only one of them of it;
 * the other gets `executor failed running [/bin/sh -c make]: exit code: 2`.
 */
function commandOf(reason: string): string | undefined {
  const command = /executor failed running \[(?:\/bin\/sh -c )?(.*)\]: exit code: \d+$/s.exec(reason)?.[1];
  return command === undefined ? undefined : `RUN ${command}`;
}

function milliseconds(started: TraceTime | undefined, completed: TraceTime | undefined): number {
  if (started === undefined || completed === undefined) return 0;
  const seconds = completed.seconds - started.seconds;
  return Math.max(0, Math.round(seconds * 1000 + (completed.nanos - started.nanos) / 1e6));
}
