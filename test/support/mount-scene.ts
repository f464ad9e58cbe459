/** Builds with BuildKit, past the program, whose RUN mounts secrets and ssh. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { StepError } from '../../src/core/errors.js';
import type { BuilderEvent, BuildRequest, Engine } from '../../src/core/ports.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';
import { NEVER } from './tar.js';

const PREFIX = '127.0.0.1:1/habitus-mounts';

export type Given = Partial<Pick<BuildRequest, 'secrets' | 'ssh' | 'network' | 'noCache'>>;

export interface MountBuild {
  /** All output of RUN. */
  readonly lines: readonly string[];
  /** Whether the builder had the last RUN from its cache. */
  readonly cached: boolean;
  readonly imageId: string;
}

/** One test's own image name, and a word that no other test's commands hold. */
export class MountScene {
  readonly id = randomBytes(6).toString('hex');
  readonly tag = `${PREFIX}/${this.id}:latest`;

  constructor(readonly engine: Engine) {}

  /** The image is removed, unless `look` keeps it until it has looked. */
  async build(
    dockerfile: readonly string[] | Buffer,
    given: Given = {},
    look: (tag: string) => Promise<void> = () => Promise.resolve(),
    signal = NEVER,
  ): Promise<MountBuild> {
    const events: BuilderEvent[] = [];
    const imageId = await this.engine.build(
      {
        builder: 'buildkit',
        context: memoryFolder(new Map()),
        contextKey: `mounts-${this.id}`,
        dockerfile: Buffer.isBuffer(dockerfile) ? dockerfile : Buffer.from([...dockerfile, ''].join('\n')),
        tag: this.tag,
        args: {},
        noCache: false,
        network: 'none',
        limits: {},
        removeContainers: true,
        secrets: new Map(),
        ssh: [],
        ...given,
      },
      (event) => events.push(event),
      signal,
    );
    await look(this.tag);
    await this.engine.removeImage(this.tag);
    const runs = events.flatMap((event) =>
      event.type === 'instruction' && event.instruction.state === 'finished' ? [event.instruction] : [],
    );
    return {
      lines: events.flatMap((event) => (event.type === 'output' ? [event.line] : [])),
      cached: runs.findLast(({ text }) => text.includes('RUN'))?.cached ?? false,
      imageId,
    };
  }

  async failure(
    dockerfile: readonly string[],
    given: Given = {},
  ): Promise<{ readonly message: string; readonly hint: string | undefined }> {
    const error: unknown = await this.build(dockerfile, given).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StepError);
    const { message, hint } = error as StepError;
    return { message, hint };
  }
}
