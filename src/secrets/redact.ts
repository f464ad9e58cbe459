/** Keeps secrets out of all that is told: texts, events, results, errors and the log. */
import type { Logger, LogMethod } from '../core/api.js';
import type { Emit } from '../core/events.js';
import { redactData, redactError } from './redact-data.js';
import { redactedEmit } from './redact-emit.js';
import { TextRedactor } from './redact-text.js';
import { asText, textsOf } from './redact-values.js';

/** Every occurrence becomes `***`. What has fewer than four characters is not redacted: it is found everywhere by chance. */
export interface Redactor {
  /** From now on these values are redacted too: as they are, their lines, and their encodings. */
  add(values: readonly (string | Buffer)[]): void;
  text(text: string): string;
  /** Plain data; words of closed sets and IDs stay. What is clean is not copied. */
  data<T>(value: T): T;
  /** Changes the error in place, with its cause, and returns it; of what cannot be changed another one of its kind. */
  error(error: unknown): unknown;
  /** Use it for all events of a build: it remembers lines that come in pieces. */
  emit(emit: Emit): Emit;
  log(log: Logger): Logger;
}

/** @param needles each is redacted as it is; see `add` for values */
export function createRedactor(needles: readonly { readonly bytes: Buffer }[] = []): Redactor {
  const texts = new TextRedactor();
  for (const { bytes } of needles) for (const text of asText(bytes)) texts.add(text);
  return {
    add(values) {
      for (const value of values) for (const text of textsOf(value)) texts.add(text);
    },
    text: (text) => texts.redact(text),
    data: (value) => redactData(value, texts),
    error: (error) => redactError(error, texts),
    emit: (emit) => redactedEmit(emit, texts),
    log: (log) => redactedLog(log, texts),
  };
}

function redactedLog(log: Logger, texts: TextRedactor): Logger {
  const redacted = (level: keyof Logger): LogMethod => {
    return (first: string | Readonly<Record<string, unknown>>, message?: string) => {
      if (typeof first === 'string') log[level](texts.redact(first));
      else log[level](redactData(first, texts), ...(message === undefined ? [] : [texts.redact(message)]));
    };
  };
  return {
    debug: redacted('debug'),
    info: redacted('info'),
    warn: redacted('warn'),
    error: redacted('error'),
  };
}
