/** Two small builds that make every call there is, built through a proxy that breaks some, and looked at afterwards. */
import type { Patience } from '../../src/engine/patience.js';
import { buildProject, failureOf } from './build-library.js';
import { project, type Files, type Project, type Subject } from './build-project.js';
import type { TestEngine } from './engines.js';
import { FaultProxy, type Script, type SeenCall } from './fault-proxy.js';
import { NOTHING, type Traces } from './images.js';
import { cleanup, squashYml } from './squash-project.js';

/** The times of the defaults, shortened: what a test waits for, everybody waits for. */
export const PATIENCE: Patience = {
  connect: 2000,
  answer: 4000,
  ping: 400,
  silence: 3000,
  retries: [20, 60],
};

/** Within which a build ends whatever breaks, in milliseconds. */
export const SETTLED_MS = 30_000;

export type Kind = 'squash' | 'hand-off';

const PROJECTS: Readonly<Record<Kind, Files>> = {
  squash: {
    'build.yml': squashYml({ one: [...cleanup(['rm /removed']), 'squash: true'] }),
    Dockerfile: 'FROM busybox:latest\nLABELLED\nARG V\nLABEL v=$V\nCOPY in.txt /removed\nCOPY in.txt /kept\n',
    'in.txt': 'in\n',
  },
  'hand-off': {
    'build.yml': squashYml({
      // A folder: of a file BuildKit's steps take no more than the header.
      one: ['artifacts: [/out]', 'command: cat /out/data'],
      two: ['depends_on: [one]', 'dockerfile: Dockerfile.two'],
    }),
    Dockerfile:
      'FROM busybox:latest\nLABELLED\nARG V\nLABEL v=$V\nRUN mkdir /out && echo $V > /out/data\nCOPY big /big\n',
    'Dockerfile.two': 'FROM busybox:latest\nLABELLED\nARG V\nLABEL v=$V\nCOPY out/data /data\n',
    big: 'x'.repeat(200_000),
  },
};

export interface Outcome {
  /** Why it failed; `undefined` where it succeeded. */
  readonly message: string | undefined;
  readonly hint: string | undefined;
  readonly warnings: readonly string[];
  readonly durationMs: number;
}

export class Scene {
  readonly kind: Kind;
  readonly #subject: Subject;
  readonly #project: Project;
  #version = 0;

  private constructor(kind: Kind, subject: Subject, given: Project) {
    this.kind = kind;
    this.#subject = subject;
    this.#project = given;
  }

  static async make(kind: Kind, subject: Subject): Promise<Scene> {
    return new Scene(kind, subject, await project(subject.engine, PROJECTS[kind]));
  }

  /** What the images of a build that has succeeded are like, and what is left then. */
  get complete(): { versions: readonly string[]; traces: Traces } {
    const version = String(this.#version);
    const versions = this.kind === 'squash' ? [version] : [version, version, version];
    return { versions, traces: NOTHING };
  }

  get builder(): Subject['builder'] {
    return this.#subject.builder;
  }

  /** Begin another version: the builds that follow make it. */
  next(): void {
    this.#version += 1;
  }

  /** Build through a proxy with this script. @returns the calls too */
  async broken(script: Script): Promise<Outcome & { readonly proxy: FaultProxy }> {
    const proxy = await FaultProxy.start(this.#subject.engine, script);
    const outcome = await this.build(proxy.engine);
    proxy.close();
    return { ...outcome, proxy };
  }

  /** The calls of a build that nothing breaks. */
  async calls(): Promise<readonly SeenCall[]> {
    this.next();
    const { proxy, message } = await this.broken(() => undefined);
    if (message !== undefined) throw new Error(`the build that nothing broke failed: ${message}`);
    return proxy.calls;
  }

  async build(engine: TestEngine = this.#subject.engine): Promise<Outcome> {
    const started = performance.now();
    const warnings: string[] = [];
    const address = { host: engine.host, patience: PATIENCE };
    const failed = await buildProject(this.#subject, this.#project, {
      buildArgs: { V: String(this.#version) },
      keepAll: true,
      engine: address,
      emit: (event) => {
        if (event.type === 'notice' && event.level === 'warning') warnings.push(event.message);
      },
    }).then(
      ({ result }) =>
        result.status === 'succeeded' ? undefined : (failureOf(result) ?? { step: '', message: '' }),
      (error: unknown) => error as { readonly message: string; readonly hint?: string },
    );
    const message = failed?.message;
    const hint = failed?.hint;
    return { message, hint, warnings, durationMs: performance.now() - started };
  }

  /** The version that each final name stands for, and at last the one that was handed off. */
  async versions(): Promise<readonly (string | undefined)[]> {
    const { images, name } = this.#project;
    const labels = await Promise.all(
      (this.kind === 'squash' ? ['one'] : ['one', 'two']).map(async (step) => {
        const image = await images.inspect(name(step));
        return (image?.Config['Labels'] as Readonly<Record<string, string>> | undefined)?.['v'];
      }),
    );
    if (this.kind === 'squash') return labels;
    return [...labels, (await images.text(name('two'), '/data'))?.trim()];
  }

  traces(): Promise<Traces> {
    return this.#project.images.traces(this.#project.id);
  }

  /** Remove what a build was not able to. */
  async sweep({ containers, sessionNames, dangling }: Traces): Promise<void> {
    const { images } = this.#project;
    for (const container of containers) await images.removeContainer(container.split(' ')[0] ?? '');
    for (const image of [...sessionNames, ...dangling]) await images.remove(image);
  }
}
