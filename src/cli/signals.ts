/** SIGINT and SIGTERM: the first stops the build in an orderly way, the second ends the process at once. */
import { EXIT } from '../core/errors.js';
import type { StopSignal, World } from './world.js';

const CODES = { SIGINT: EXIT.sigint, SIGTERM: EXIT.sigterm } as const satisfies Record<StopSignal, number>;

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
  const onSignal = (signal: StopSignal): void => {
    if (interrupted !== undefined) {
      handlers.second(signal);
      world.exit(CODES[signal]);
      return;
    }
    interrupted = new Interrupted(signal);
    handlers.first(signal);
    controller.abort(interrupted);
  };
  const onInterrupt = (): void => {
    onSignal('SIGINT');
  };
  const onTerminate = (): void => {
    onSignal('SIGTERM');
  };
  world.signals.on('SIGINT', onInterrupt);
  world.signals.on('SIGTERM', onTerminate);
  return {
    signal: controller.signal,
    get interrupted() {
      return interrupted;
    },
    [Symbol.dispose]() {
      world.signals.off('SIGINT', onInterrupt);
      world.signals.off('SIGTERM', onTerminate);
    },
  };
}
