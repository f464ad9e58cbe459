/** A session: the mark of one build on everything it makes in an engine, and the owner that removes it all. */
import type { Artifact } from '../tar/artifact.js';
import type { Journal, Unmarked } from './journal.js';
import { newSessionId, OWNER_LABEL, SESSION_LABEL, sessionName, siblingName } from './marks.js';
import { messageOf } from './naming.js';
import { formatOwner, thisProcess } from './owner.js';
import type { ContainerRequest, Engine, EngineContainer, LabelledVolume } from './ports.js';
import { removeTraces, type ImageRemoval, type Traces } from './traces.js';

export interface SessionOptions {
  readonly id?: string;
  /** Absent: what carries no mark is not written down. */
  readonly journal?: Journal;
}

type SessionContainer = Omit<ContainerRequest, 'labels'> & Partial<Pick<ContainerRequest, 'labels'>>;

export class Session {
  readonly id: string;
  readonly #engine: Engine;
  readonly #tags: ReadonlyMap<string, string>;
  readonly #artifacts = new Map<string, readonly Artifact[]>();
  readonly #journal: Journal | undefined;
  readonly #held = new Set<string>();
  /** IDs of images that were built before everything was built once more. */
  readonly #superseded: string[] = [];
  /** Names that an image may have. */
  readonly #names = new Set<string>();
  /** By name: those that may be there. */
  readonly #volumes = new Map<string, LabelledVolume>();
  /** Whether a container or an image may bear its mark. */
  #isUsed = false;
  #keepsJournal = false;

  /** @param labels the labels of all steps, in the order of the plan */
  constructor(
    engine: Engine,
    labels: readonly string[],
    { id = newSessionId(), journal }: SessionOptions = {},
  ) {
    this.id = id;
    this.#engine = engine;
    this.#journal = journal;
    this.#tags = new Map(labels.map((label, index) => [label, sessionName(id, label, index, thisProcess())]));
  }

  /** The name that a step's image has while the session lasts. */
  tagOf(label: string): string {
    const tag = this.#tags.get(label);
    if (tag === undefined) throw new Error(`no step ${label} in session ${this.id}`);
    return this.#used(tag);
  }

  /**
   * The name of a step's image after its cleanup, before its squash.
   * @param commands after so many of its commands, where each makes an image
   */
  cleanedTagOf(label: string, commands?: number): string {
    const word = commands === undefined ? 'cleaned' : `cleaned-${commands}`;
    return this.#used(siblingName(this.tagOf(label), word));
  }

  /** A step's image has the session's name, and is not to go before the session ends. */
  hold(label: string): void {
    this.#held.add(label);
  }

  /** The labels of the steps whose images have got the session's names so far. */
  get held(): ReadonlySet<string> {
    return this.#held;
  }

  /** No image has this name any more, nor will one get it. */
  nameRemoved(name: string): void {
    this.#names.delete(name);
  }

  /** Write down what carries no mark, before it can be left behind: an image that is about to lose its last name. */
  note(unmarked: Unmarked): void {
    this.#journal?.note(unmarked);
  }

  /** Something that was noted could not be removed: who comes later tries again. */
  keepJournal(): void {
    this.#keepsJournal = true;
  }

  /** Create a container of this session; the caller removes it, and the session does where the caller could not. */
  createContainer(request: SessionContainer, signal: AbortSignal): Promise<EngineContainer> {
    this.#isUsed = true;
    return this.#engine.createContainer({ ...request, labels: this.#marked(request.labels) }, signal);
  }

  /**
   * Make a volume of this session, unless somebody has one of this name. One at a time for each name.
   * @returns the one there is
   */
  async createVolume(
    name: string,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ readonly isOwn: boolean; readonly volume: LabelledVolume }> {
    signal.throwIfAborted();
    const marked = this.#marked(labels);
    // Before: where the answer is lost, it may be there all the same.
    this.#volumes.set(name, { name, labels: marked });
    const volume = await this.#engine.createVolume(name, marked);
    if (volume.labels[SESSION_LABEL] === this.id) this.#volumes.set(name, volume);
    else this.#volumes.delete(name);
    const isOwn = Object.entries(marked).every(([key, value]) => volume.labels[key] === value);
    if (signal.aborted) {
      await this.removeVolume(name).catch(() => undefined);
      signal.throwIfAborted();
    }
    return { isOwn, volume };
  }

  /** Only if it is this session's; where that fails, `dispose` tries again. */
  async removeVolume(name: string): Promise<void> {
    const volume = this.#volumes.get(name);
    if (volume !== undefined) await this.#engine.removeVolume(volume);
    this.#volumes.delete(name);
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
   * Everything is built once more: what has been handed off is freed, and images lose their names to others.
   * @param images IDs of those that it has, newer ones first; without a name they go when the session ends
   */
  async beginAgain(images: readonly string[]): Promise<void> {
    for (const id of images) this.note({ kind: 'image', id });
    this.#superseded.unshift(...images);
    this.#held.clear();
    for (const label of this.#artifacts.keys()) await this.releaseArtifacts(label);
  }

  /**
   * Remove every container, tag, volume and spooled artifact of this session. Tries everything, whatever fails.
   * What was noted has been removed by who made it; where something is left, the journal stays for who comes after.
   * @returns what could not be removed, one sentence each
   */
  async dispose(removal: ImageRemoval): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const name of this.#volumes.keys()) {
      await this.removeVolume(name).catch((error: unknown) => {
        problems.push(`volume ${name} is left: ${messageOf(error)}`);
      });
    }
    if (this.#isUsed) problems.push(...(await removeTraces(this.#engine, this.#traces, removal)).problems);
    if (this.#superseded.length > 0) {
      const { failed } = await this.#engine.removeNameless(this.#superseded, { noPrune: removal.noPrune });
      for (const [id, error] of failed) problems.push(`image ${id} is left: ${messageOf(error)}`);
    }
    for (const label of this.#artifacts.keys()) {
      await this.releaseArtifacts(label).catch((error: unknown) => {
        problems.push(`artifacts of ${label}: ${messageOf(error)}`);
      });
    }
    if (problems.length === 0 && !this.#keepsJournal) this.#journal?.end();
    return problems;
  }

  get #traces(): Traces {
    // Newer ones first: they may have been made from the others.
    return { session: this.id, unmarked: [], names: [...this.#names].reverse() };
  }

  #marked(labels: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
    return { ...labels, [SESSION_LABEL]: this.id, [OWNER_LABEL]: formatOwner(thisProcess()) };
  }

  #used(name: string): string {
    this.#isUsed = true;
    this.#names.add(name);
    return name;
  }
}
