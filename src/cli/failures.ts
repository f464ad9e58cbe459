/** Says what went wrong, in one voice, and which exit status it means. */
import { ConfigError } from '../config/diagnostic.js';
import { renderDiagnostic } from '../config/render.js';
import { EXIT, HabitusError } from '../core/errors.js';
import { toJson } from '../report/json.js';
import { sanitize } from '../report/sanitize.js';
import { createPaint, plural } from '../report/style.js';
import type { Appearance } from './appearance.js';
import { Interrupted } from './signals.js';

export interface FailureText {
  /** Lines joined by `\n`, without a final one. */
  readonly text: string;
  readonly exitCode: number;
}

export interface FailureOptions extends Appearance {
  /** Show the stack of an error that nobody expected. */
  readonly stack: boolean;
}

type Say = (message: string, hint?: string) => string;

export function describeFailure(error: unknown, options: FailureOptions): FailureText {
  // Where events go out as JSON lines, so does the error that ends them.
  if (options.kind === 'json') {
    const { text, exitCode } = describeFailure(error, { ...options, kind: 'plain', color: false });
    return { text: toJson({ at: Date.now(), type: 'error', exitCode, message: text }), exitCode };
  }
  const paint = createPaint(options.color);
  const say: Say = (message, hint) =>
    [
      `${paint('bad', 'error:')} ${sanitize(message)}`,
      ...(hint === undefined ? [] : [`  ${paint('strong', '→')} ${sanitize(hint)}`]),
    ].join('\n');
  if (error instanceof ConfigError) {
    const parts = error.diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, options));
    const total = `${plural(error.diagnostics.length, 'problem')}; nothing was built`;
    return { text: [...parts, say(total)].join('\n\n'), exitCode: error.exitCode };
  }
  if (error instanceof HabitusError)
    return { text: say(error.message, error.hint), exitCode: error.exitCode };
  if (error instanceof Interrupted) return { text: say(error.message), exitCode: error.exitCode };
  return { text: describeBug(error, options.stack, say), exitCode: EXIT.internal };
}

function describeBug(error: unknown, stack: boolean, say: Say): string {
  const message = `this is a bug in habitus: ${error instanceof Error ? error.message : String(error)}`;
  if (!stack) return say(message, 'Run it again with "--log-level debug" and report what it prints.');
  const trace = error instanceof Error ? (error.stack ?? '').split('\n').map(sanitize) : [];
  return [say(message, 'Please report it, with the lines below.'), ...trace].join('\n');
}
