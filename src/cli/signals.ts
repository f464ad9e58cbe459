/** SIGINT, SIGTERM and SIGHUP: the first stops the build in an orderly way, the second ends the process at once. */
import { monotonic } from '../clock.js';
import { EXIT } from '../core/errors.js';
import { STOP_SIGNALS, type StopSignal, type World } from './world.js';

const CODES = {
  SIGINT: EXIT.sigint,
  SIGTERM: EXIT.sigterm,
  SIGHUP: EXIT.sighup,
} as const satisfies Record<StopSignal, number>;

/** Who runs a program in a terminal, as npm does, passes on a Ctrl-C that it got from there already. */
const ECHO_MS = 100;

/** The reason of an abort that a signal asked for. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.name = 'Interrupted';
    this.exitCode = CODES[signal];
  }
}

export interface SignalHandlers {
  first(signal: StopSignal): void;
  /** Last words before the process ends. */
  second(signal: StopSignal): void;
}

export interface SignalWatch extends Disposable {
  /** Aborted with an `Interrupted` by the first signal. */
  readonly signal: AbortSignal;
  /** The signal that came, if one did. */
  readonly interrupted: Interrupted | undefined;
}

/** Watch until disposed; then signals do what they did before. */
export function watchSignals(world: Pick<World, 'signals' | 'exit'>, handlers: SignalHandlers): SignalWatch {
  const controller = new AbortController();
  let interrupted: Interrupted | undefined;
  let first: { readonly signal: StopSignal; readonly at: number } | undefined;
  const onSignal = (signal: StopSignal): void => {
    if (first === undefined) {
      first = { signal, at: monotonic() };
      interrupted = new Interrupted(signal);
      handlers.first(signal);
      controller.abort(interrupted);
      return;
    }
    // Nobody insists by SIGHUP: both the kernel and the shell send it when a terminal is lost, and systemd after SIGTERM.
    if (signal === 'SIGHUP') return;
    if (signal === first.signal && monotonic() - first.at < ECHO_MS) return;
    handlers.second(signal);
    world.exit(CODES[signal]);
  };
  const listeners = STOP_SIGNALS.map((signal) => {
    const listener = (): void => {
      onSignal(signal);
    };
    return [signal, listener] as const;
  });
  for (const [signal, listener] of listeners) world.signals.on(signal, listener);
  return {
    signal: controller.signal,
    get interrupted() {
      return interrupted;
    },
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) world.signals.off(signal, listener);
    },
  };
}
