/** A session: the mark of one build on everything it makes in an engine, and the owner that removes it all. */
import { randomBytes } from 'node:crypto';
import type { Artifact } from '../tar/artifact.js';
import type { ContainerRequest, Engine, EngineContainer } from './ports.js';

/** Every container of a session carries this label with the session's ID. */
export const SESSION_LABEL = 'habitus.session';

/**
 * Where the images of a running build are tagged. The registry part can never answer, so no engine asks a registry for
 * such a name in earnest: the containerd store asks the registry first and would take a foreign image of that name.
 */
const SESSION_REPOSITORY = '127.0.0.1:1/habitus';

/** Crockford's alphabet, lower case: sorts as the numbers do and reads without confusion. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Twelve characters: seven of the second it began (they sort by time), five random ones. */
export function newSessionId(now: number = Date.now()): string {
  let seconds = Math.floor(now / 1000);
  let time = '';
  for (let i = 0; i < 7; i++) {
    time = ALPHABET.charAt(seconds % 32) + time;
    seconds = Math.floor(seconds / 32);
  }
  return time + Array.from(randomBytes(5), (byte) => ALPHABET.charAt(byte & 31)).join('');
}

export interface ImageRemoval {
  readonly force: boolean;
  readonly noPrune: boolean;
}

export class Session {
  readonly id: string;
  readonly #engine: Engine;
  readonly #tags: ReadonlyMap<string, string>;
  readonly #artifacts = new Map<string, readonly Artifact[]>();

  /** @param labels the labels of all steps, in the order of the plan */
  constructor(engine: Engine, labels: readonly string[], id: string = newSessionId()) {
    this.id = id;
    this.#engine = engine;
    this.#tags = new Map(
      labels.map((label, index) => [label, `${this.#prefix}${slug(label, index)}:latest`]),
    );
  }

  get #prefix(): string {
    return `${SESSION_REPOSITORY}/${this.id}/`;
  }

  /** The name that a step's image has while the session lasts. */
  tagOf(label: string): string {
    const tag = this.#tags.get(label);
    if (tag === undefined) throw new Error(`no step ${label} in session ${this.id}`);
    return tag;
  }

  /** The name of a step's image after its cleanup, before its squash. */
  cleanedTagOf(label: string): string {
    return this.tagOf(label).replace(/:latest$/, ':cleaned');
  }

  /** Create a container of this session; the caller removes it, and the session does where the caller could not. */
  createContainer(request: Omit<ContainerRequest, 'labels'>, signal: AbortSignal): Promise<EngineContainer> {
    return this.#engine.createContainer({ ...request, labels: { [SESSION_LABEL]: this.id } }, signal);
  }

  /** The artifacts that a step has handed off so far. */
  artifactsOf(label: string): readonly Artifact[] {
    return this.#artifacts.get(label) ?? [];
  }

  handOff(label: string, artifact: Artifact): void {
    this.#artifacts.set(label, [...this.artifactsOf(label), artifact]);
  }

  async releaseArtifacts(label: string): Promise<void> {
    const artifacts = this.artifactsOf(label);
    this.#artifacts.delete(label);
    for (const artifact of artifacts) await artifact[Symbol.asyncDispose]();
  }

  /**
   * Remove every container, tag and spooled artifact of this session. Tries everything, whatever fails.
   * @returns what could not be removed, one sentence each
   */
  async dispose(removal: ImageRemoval): Promise<readonly string[]> {
    const problems: string[] = [];
    const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    };
    await attempt(`containers of session ${this.id} may be left`, async () => {
      for (const { id } of await this.#engine.listContainers(`${SESSION_LABEL}=${this.id}`)) {
        await attempt(`container ${id.slice(0, 12)} is left`, () => this.#engine.removeContainer(id));
      }
    });
    await attempt(`image names under ${this.#prefix} may be left`, async () => {
      const tagged = await this.#engine.listImageNames(this.#prefix);
      for (const { name } of tagged) {
        await attempt(`image ${name} is left`, () => this.#engine.removeImage(name, removal));
      }
      for (const imageId of new Set(tagged.map((each) => each.imageId))) {
        await attempt(`image ${imageId} is left`, () => this.#removeIfNameless(imageId, removal));
      }
      // The engine's refusal to remove what a container uses is no error to `removeImage`.
      const left = tagged.length === 0 ? [] : await this.#engine.listImageNames(this.#prefix);
      for (const { name } of left) {
        if (problems.some((problem) => problem.startsWith(`image ${name} is left:`))) continue;
        problems.push(`image ${name} is left: a container uses it`);
      }
    });
    for (const label of this.#artifacts.keys()) {
      await attempt(`artifacts of ${label}`, () => this.releaseArtifacts(label));
    }
    return problems;
  }

  /** The containerd store keeps an image whose final name another build has taken meanwhile, also without names. */
  async #removeIfNameless(imageId: string, { noPrune }: ImageRemoval): Promise<void> {
    const image = await this.#engine.describeImage(imageId);
    if (image?.names.length === 0) await this.#engine.removeImage(imageId, { noPrune });
  }
}

/** A label as part of a repository name: lower case, unique by its place in the plan. */
function slug(label: string, index: number): string {
  const words = label.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return [String(index + 1), ...words].join('-').slice(0, 60).replace(/-+$/, '');
}
