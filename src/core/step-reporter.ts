/** Tells the events of one step, and turns a command's exit status into a failure with its last lines. */
import { StepError } from './errors.js';
import type { Emit, StepPhase } from './events.js';
import type { BuilderEvent, ImageDescription } from './ports.js';
import type { Squashed } from './squash.js';

/** How many of the last lines of output a failure shows. */
const LAST_LINES = 20;

export interface CommandOutput {
  readonly line: (stream: 'stdout' | 'stderr', line: string) => void;
  /** @throws StepError unless the exit code is 0 */
  finished(exitCode: number): void;
}

export class StepReporter {
  readonly #emit: Emit;
  readonly #step: string;

  constructor(emit: Emit, step: string) {
    this.#emit = emit;
    this.#step = step;
  }

  phase(phase: StepPhase, detail?: string): void {
    this.#emit({
      at: Date.now(),
      type: 'phase-started',
      step: this.#step,
      phase,
      ...(detail !== undefined && { detail }),
    });
  }

  notice(message: string, level: 'info' | 'warning' = 'warning'): void {
    this.#emit({ at: Date.now(), type: 'notice', level, step: this.#step, message });
  }

  squashed(built: ImageDescription, { layers, stats, dropped }: Squashed): void {
    this.#emit({
      at: Date.now(),
      type: 'squashed',
      step: this.#step,
      layersBefore: built.layers.length,
      layersAfter: layers,
      bytesBefore: stats.bytesBefore,
      bytesAfter: stats.bytes,
      pathsRemoved: stats.removed,
    });
    for (const what of dropped) this.notice(`squash cannot keep ${what}`, 'info');
  }

  /** @param asWritten turns a text about the built Dockerfile into one about the user's */
  builder(event: BuilderEvent, asWritten: (text: string) => string): void {
    switch (event.type) {
      case 'instruction':
        this.#emit({
          at: Date.now(),
          type: 'instruction',
          step: this.#step,
          instruction: { ...event.instruction, text: asWritten(event.instruction.text) },
        });
        return;
      case 'output':
        this.#output('build', event.stream, event.line);
        return;
      case 'warning':
        this.notice(asWritten(event.message));
        return;
    }
  }

  /** Announce a command of this phase; what it prints goes to the events. */
  command(phase: 'cleanup' | 'command' | 'after_build_command', text: string): CommandOutput {
    this.phase(phase, text);
    const last: string[] = [];
    return {
      line: (stream, line) => {
        last.push(line);
        if (last.length > LAST_LINES) last.shift();
        this.#output(phase, stream, line);
      },
      finished: (exitCode) => {
        if (exitCode === 0) return;
        throw new StepError({
          message: `${PHRASE[phase]} exited with ${exitCode}: ${text}`,
          instruction: text,
          exitCode,
          output: last,
          ...(exitCode === 127 && { hint: 'Exit code 127 means that the shell did not find the program.' }),
        });
      },
    };
  }

  #output(phase: StepPhase, stream: 'stdout' | 'stderr', line: string): void {
    this.#emit({ at: Date.now(), type: 'output', step: this.#step, phase, stream, line });
  }
}

const PHRASE = {
  cleanup: 'cleanup command',
  command: 'command',
  after_build_command: 'after_build_command',
} as const;
