/** Tells the events of one step, and turns a command's exit status into a failure with its last lines. */
import { StepError } from './errors.js';
import type { Emit, Failure, InstructionEvent, StepPhase } from './events.js';
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
  #phase: StepPhase = 'build';
  /** What the phase is at: its command, or its open instructions by their IDs. */
  readonly #open = new Map<string, string>();
  /** Of the output since what is open began. */
  readonly #last: string[] = [];

  constructor(emit: Emit, step: string) {
    this.#emit = emit;
    this.#step = step;
  }

  phase(phase: StepPhase, detail?: string): void {
    this.#phase = phase;
    this.#open.clear();
    this.#last.length = 0;
    this.#emit({
      at: Date.now(),
      type: 'phase-started',
      step: this.#step,
      phase,
      ...(detail !== undefined && { detail }),
    });
  }

  /** What the step does right now, in the words of a failure. */
  atWork(): Pick<Failure, 'instruction' | 'output'> {
    const open = [...this.#open.values()];
    const instruction = open.length > 0 || this.#phase === 'build' ? open.join('; ') : this.#phase;
    return { ...(instruction !== '' && { instruction }), output: [...this.#last] };
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
  builder(
    event: Exclude<BuilderEvent, { type: 'made' | 'context-sent' }>,
    asWritten: (text: string) => string,
  ): void {
    switch (event.type) {
      case 'instruction': {
        const instruction = { ...event.instruction, text: asWritten(event.instruction.text) };
        this.#note(instruction);
        this.#emit({ at: Date.now(), type: 'instruction', step: this.#step, instruction });
        return;
      }
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
    this.#open.set(text, text);
    return {
      line: (stream, line) => {
        this.#output(phase, stream, line);
      },
      finished: (exitCode) => {
        if (exitCode === 0) return;
        throw new StepError({
          message: `${PHRASE[phase]} exited with ${exitCode}: ${text}`,
          instruction: text,
          exitCode,
          output: [...this.#last],
          ...(exitCode === 127 && { hint: 'Exit code 127 means that the shell did not find the program.' }),
        });
      },
    };
  }

  #note({ id, state, text }: InstructionEvent): void {
    if (state !== 'started') {
      this.#open.delete(id);
      return;
    }
    // What earlier instructions said tells nothing of a silent one.
    if (this.#open.size === 0) this.#last.length = 0;
    this.#open.set(id, text);
  }

  #output(phase: StepPhase, stream: 'stdout' | 'stderr', line: string): void {
    this.#last.push(line);
    if (this.#last.length > LAST_LINES) this.#last.shift();
    this.#emit({ at: Date.now(), type: 'output', step: this.#step, phase, stream, line });
  }
}

const PHRASE = {
  cleanup: 'cleanup command',
  command: 'command',
  after_build_command: 'after_build_command',
} as const;
