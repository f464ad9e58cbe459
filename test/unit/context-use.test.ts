/** When a context that was sent is looked at again: not while its builder copies it, but soon. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ContextUse } from '../../src/core/context-use.js';
import type { InstructionEvent } from '../../src/core/events.js';

const finished = (text: string): InstructionEvent => ({
  state: 'finished',
  id: '1',
  text,
  cached: false,
  durationMs: 1,
});
const started = (text: string): InstructionEvent => ({ state: 'started', id: '1', text });

let looks = 0;
const begin = () =>
  new ContextUse(() => {
    looks++;
  });

beforeEach(() => {
  looks = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it.each(['COPY . .', '[2/2] COPY . .', '[stage-0 2/3] ADD a b', '[build 4/7] RUN make'])(
  'once %s has ended',
  (text) => {
    using use = begin();
    use.see(finished(text));
    expect(looks, 'what ended before has not read it').toBe(0);
    use.sent();
    use.see(started(text));
    expect(looks).toBe(0);
    use.see(finished(text));
    use.see(finished(text));
    expect(looks).toBe(1);
  },
);

it('not for what does not read it: then soon, by the clock', () => {
  using use = begin();
  use.sent();
  use.see(finished('[1/2] FROM docker.io/library/busybox'));
  use.see(finished('[internal] load build context'));
  use.see(finished('exporting to image'));
  vi.advanceTimersByTime(2_999);
  use.sent();
  expect(looks).toBe(0);
  vi.advanceTimersByTime(1);
  expect(looks).toBe(1);
  vi.advanceTimersByTime(60_000);
  expect(looks).toBe(1);
});

it('when all is built at the latest, and each time that it was sent', () => {
  using use = begin();
  use.sent();
  use.built();
  use.built();
  expect(looks).toBe(1);
  use.sent();
  use.built();
  expect(looks).toBe(2);
});

it('never after a failure', () => {
  {
    using use = begin();
    use.sent();
  }
  vi.advanceTimersByTime(60_000);
  expect(looks).toBe(0);
});
