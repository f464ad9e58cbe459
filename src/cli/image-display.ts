/** Shows how far the work on a single image is: one line that changes on a terminal, else a line for each phase. */
import type { EmitImageEvent, ImageEvent, ImagePhase } from '../core/image-api.js';
import { formatBytes } from '../report/bytes.js';
import { formatDuration } from '../report/duration.js';
import { toJson } from '../report/json.js';
import { sanitize } from '../report/sanitize.js';
import { clip } from '../report/width.js';
import type { Appearance } from './appearance.js';
import type { Stream } from './world.js';

const WORDS = {
  look: ['looking into', 'looked into'],
  read: ['reading', 'read'],
  merge: ['merging', 'merged'],
  load: ['loading into', 'loaded into'],
  write: ['writing', 'written:'],
  check: ['checking', 'checked'],
  search: ['searching', 'searched'],
} as const satisfies Record<ImagePhase, readonly [doing: string, done: string]>;

/** A log should tell of a phase that takes long. */
const PLAIN_EVERY_MS = 10_000;

const CLEAR_LINE = '\r\u001b[2K';

export interface ImageDisplayLine {
  readonly emit: EmitImageEvent;
  /** A line among the progress. */
  readonly tell: (text: string) => void;
  /** Leave the terminal as it was found; can be called twice. */
  close(): void;
}

export function createImageDisplay(kind: Appearance['kind'], stream: Stream): ImageDisplayLine {
  switch (kind) {
    case 'tty':
      return ttyDisplay(stream);
    case 'plain':
      return plainDisplay(stream);
    case 'json':
      return {
        emit: (event) => stream.write(`${toJson(event)}\n`),
        tell: (text) => stream.write(`${toJson({ at: Date.now(), type: 'notice', message: text })}\n`),
        close: () => undefined,
      };
    case 'quiet':
      return {
        emit: () => undefined,
        tell: (text) => stream.write(`${text}\n`),
        close: () => undefined,
      };
  }
}

type Started = Extract<ImageEvent, { type: 'phase-started' }>;

function ttyDisplay(stream: Stream): ImageDisplayLine {
  let current: Started | undefined;
  const show = (text: string): unknown =>
    stream.write(`${CLEAR_LINE}${clip(text, (stream.columns ?? 80) - 1)}`);
  const clear = (): void => {
    if (current !== undefined) stream.write(CLEAR_LINE);
    current = undefined;
  };
  return {
    emit(event) {
      switch (event.type) {
        case 'phase-started':
          current = event;
          show(doing(event, 0));
          return;
        case 'progress':
          if (current !== undefined) show(doing(current, event.bytes));
          return;
        case 'phase-finished':
          if (current !== undefined) stream.write(`${CLEAR_LINE}${done(current, event)}\n`);
          current = undefined;
      }
    },
    tell(text) {
      clear();
      stream.write(`${text}\n`);
    },
    close: clear,
  };
}

function plainDisplay(stream: Stream): ImageDisplayLine {
  let current: Started | undefined;
  let told = 0;
  return {
    emit(event) {
      switch (event.type) {
        case 'phase-started':
          current = event;
          told = event.at;
          return;
        case 'progress':
          if (current === undefined || event.at - told < PLAIN_EVERY_MS) return;
          told = event.at;
          stream.write(`${doing(current, event.bytes)}\n`);
          return;
        case 'phase-finished':
          if (current !== undefined) stream.write(`${done(current, event)}\n`);
          current = undefined;
      }
    },
    tell: (text) => stream.write(`${text}\n`),
    close: () => undefined,
  };
}

/** `reading app:latest · 12.0 MB of 40.1 MB` */
function doing({ phase, subject, total }: Started, bytes: number): string {
  const of = total === undefined ? '' : ` of ${formatBytes(total)}`;
  const amount = bytes === 0 && total === undefined ? '' : ` · ${formatBytes(bytes)}${of}`;
  return `${WORDS[phase][0]} ${sanitize(subject)}${amount}`;
}

/** `read app:latest · 40.1 MB in 1.2 s` */
function done(
  { phase, subject }: Started,
  { bytes, durationMs }: Extract<ImageEvent, { type: 'phase-finished' }>,
): string {
  return `${WORDS[phase][1]} ${sanitize(subject)} · ${formatBytes(bytes)} in ${formatDuration(durationMs)}`;
}
