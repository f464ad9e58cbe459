/** Redacts the events of a build, also where a line of output comes in pieces. */
import type { BuildEvent, Emit } from '../core/events.js';
import { LONGEST_LINE } from '../core/lines.js';
import { redactData } from './redact-data.js';
import { NOTHING_CARRIED, type Carry, type TextRedactor } from './redact-text.js';

type Output = Extract<BuildEvent, { readonly type: 'output' }>;

/** A line of output that may go on. */
interface Open {
  readonly event: Output;
  readonly carry: Carry;
}

/**
 * A piece of the greatest length may be followed by the rest of its line: what of its end could be the beginning of a
 * secret waits for that, or for the end of the phase.
 * Hazard: two instructions that BuildKit runs at once share a step's output; where both write such lines at the same
 * moment, pieces of different lines are taken for one.
 */
export function redactedEmit(emit: Emit, texts: TextRedactor): Emit {
  /** By step, then by phase and stream. */
  const open = new Map<string, Map<string, Open>>();

  const pass = (event: Output, carry: Carry, piece: string, then: 'more' | 'end'): void => {
    const { clean, carry: rest } = texts.next(carry, piece, then);
    const lines = open.get(event.step) ?? new Map<string, Open>();
    if (then === 'more') open.set(event.step, lines.set(keyOf(event), { event, carry: rest }));
    else lines.delete(keyOf(event));
    if (clean === '' && (then === 'more' || carry.rest !== '')) return;
    const start = redactData({ ...event, line: '' }, texts);
    for (let at = 0; at === 0 || at < clean.length; at += LONGEST_LINE) {
      emit({ ...start, line: clean.slice(at, at + LONGEST_LINE) });
    }
  };
  const end = (step: string): void => {
    for (const { event, carry } of open.get(step)?.values() ?? []) pass(event, carry, '', 'end');
    open.delete(step);
  };

  return (event) => {
    if (event.type === 'output') {
      const carry = open.get(event.step)?.get(keyOf(event))?.carry ?? NOTHING_CARRIED;
      pass(event, carry, event.line, event.line.length === LONGEST_LINE ? 'more' : 'end');
      return;
    }
    if (event.type === 'phase-started' || event.type === 'step-finished') end(event.step);
    if (event.type === 'build-finished') for (const step of [...open.keys()]) end(step);
    emit(redactData(event, texts));
  };
}

function keyOf({ phase, stream }: Output): string {
  return `${phase} ${stream}`;
}
