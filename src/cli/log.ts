/** Diagnostics of the program: JSON lines in a file (pino), or plain words among the progress. */
import { appendFileSync, closeSync, openSync } from 'node:fs';
import type { LogMethod, Logger } from '../core/api.js';
import { UsageError } from '../core/errors.js';
import type { Emit } from '../core/events.js';
import { escapeControls } from '../report/json.js';
import { LOG_LEVELS, type Display, type LogLevel, type Notice } from './command-line.js';

export interface Log extends Disposable {
  readonly logger: Logger;
  /** Notes an event of the build. */
  readonly emit: Emit;
  /** Notes the error that ended it all, with its stack; the screen is told by others. */
  failed(error: unknown): void;
}

/**
 * @param tell shows a notice among the progress
 * @throws {UsageError} when the file cannot be written
 */
export async function openLog(
  display: Pick<Display, 'logFile' | 'logLevel'>,
  tell: (notice: Notice) => void,
): Promise<Log> {
  if (display.logFile === undefined) return screenLog(display.logLevel ?? 'info', tell);
  return await fileLog(display.logFile, display.logLevel ?? 'info', tell);
}

async function fileLog(file: string, level: LogLevel, tell: (notice: Notice) => void): Promise<Log> {
  const fd = openForAppending(file);
  const { pino } = await import('pino');
  let broken = false;
  // Written at once: the last lines before a crash are the ones that matter. Not by pino.destination: on a full disk
  // sonic-boom 4 tries for ever.
  const write = (line: string): void => {
    if (broken) return;
    try {
      appendFileSync(fd, escapeControls(line));
    } catch (error) {
      broken = true;
      const why = error instanceof Error ? error.message : String(error);
      tell({ level: 'warning', message: `the log ${file} is incomplete: ${why}` });
    }
  };
  const logger = pino({ level }, { write });
  return {
    logger,
    emit: (event) => {
      // The library logs its warnings itself.
      if (event.type === 'notice' && event.level === 'warning') return;
      logger[event.type === 'output' ? 'debug' : 'info']({ event }, event.type);
    },
    failed: (error) => {
      logger.error({ err: error }, 'ended by an error');
    },
    [Symbol.dispose]() {
      closeSync(fd);
    },
  };
}

function openForAppending(file: string): number {
  try {
    return openSync(file, 'a');
  } catch (error) {
    throw new UsageError(`the log file ${JSON.stringify(file)} cannot be written`, {
      hint: error instanceof Error ? `${error.message}.` : 'Choose another --log-file.',
      cause: error,
    });
  }
}

/** Whether the screen is told of it: where there is a log file, the level is that of the file. */
export function isTold(
  { level }: Pick<Notice, 'level'>,
  { logFile, logLevel = 'info' }: Pick<Display, 'logFile' | 'logLevel'>,
): boolean {
  if (logFile !== undefined) return true;
  const own: LogLevel = level === 'warning' ? 'warn' : level;
  return LOG_LEVELS.indexOf(own) >= LOG_LEVELS.indexOf(logLevel);
}

/** How many notices are remembered so that a diagnostic does not repeat one. */
const REMEMBERED = 100;

function screenLog(threshold: LogLevel, tell: (notice: Notice) => void): Log {
  const said: string[] = [];
  const method = (level: LogLevel): LogMethod => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(threshold)) return () => undefined;
    return (first: string | Readonly<Record<string, unknown>>, message?: string) => {
      const text =
        typeof first === 'string' ? first : [message ?? 'diagnostic', wordsOf(first)].join(' ').trim();
      // The library logs its warnings and emits them as well, in either order.
      queueMicrotask(() => {
        if (said.includes(text)) return;
        tell({ level: level === 'warn' || level === 'error' ? 'warning' : 'info', message: text });
      });
    };
  };
  return {
    logger: { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') },
    emit: (event) => {
      if (event.type !== 'notice') return;
      said.push(event.message);
      if (said.length > REMEMBERED) said.shift();
    },
    failed: () => undefined,
    [Symbol.dispose]() {
      // Nothing is held.
    },
  };
}

/** `(status=404, path="/x")`; errors by their message. */
function wordsOf(fields: Readonly<Record<string, unknown>>): string {
  const words = Object.entries(fields).map(
    ([key, value]) => `${key}=${JSON.stringify(value instanceof Error ? value.message : value)}`,
  );
  return words.length === 0 ? '' : `(${words.join(', ')})`;
}
