/** Decides what need not be built again: a step whose inputs have a known fingerprint, and whose image is there if needed. */
import type { DoneStep, Fate, Hold, SessionMemory } from '../core/memory.js';
import type { PlannedStep } from '../core/plan.js';
import type { ListedFolder } from '../tar/listed.js';
import type { ContextDigest } from './context-digest.js';
import { ContextReaders } from './context-readers.js';
import { Contexts, keptFiles, type PlannedContext } from './contexts.js';
import { lookAtSteps, type Known, type SessionInputs } from './early-inputs.js';
import { explain } from './explain.js';
import { decideFates, namedAlready } from './fates.js';
import { commandDigest, fingerprintOf, type Fingerprint, type StepInputs } from './fingerprint.js';
import { producersOf } from './producers.js';
import { Records } from './records.js';
import type { CacheStore } from './store.js';

export interface MemoryFacts extends SessionInputs {
  readonly keepArtifacts: boolean;
  /** Images must be held also where nothing else is done with them: for their proof. */
  readonly holdsAll: boolean;
  /** Whether anybody reads why a step is built. */
  readonly explains: boolean;
  /** Of this user: see `fingerprintOf`. */
  readonly key: Buffer;
  readonly store: CacheStore;
  /** Told why nothing can be remembered. */
  readonly warn: (message: string) => void;
}

export async function openSessionMemory(facts: MemoryFacts): Promise<SessionMemory> {
  const { engine, plan, store } = facts;
  return new Memory(facts, await Records.open(store, { engineId: engine.info.id, file: plan.file }));
}

/** In the place of the result of a step that will be built. */
const ANEW = 'anew';

class Memory implements SessionMemory {
  readonly #facts: MemoryFacts;
  readonly #records: Records;
  readonly #contexts: Contexts;
  #known: ReadonlyMap<string, Known> = new Map();
  /** By label, of the contexts that are read: as soon as it is known. */
  readonly #digests = new Map<string, ContextDigest>();
  readonly #steps: ReadonlyMap<string, PlannedStep>;
  readonly #producers: ReadonlyMap<string, readonly PlannedStep[]>;
  /** Image IDs by label, of this session or of an earlier one. */
  readonly #results = new Map<string, string>();
  #named: ReadonlyMap<string, string> | undefined;
  /** Absent until it is decided what is built. */
  #readers: ContextReaders | undefined;

  constructor(facts: MemoryFacts, records: Records) {
    this.#facts = facts;
    this.#records = records;
    this.#contexts = new Contexts(facts.store);
    this.#steps = new Map(facts.plan.steps.map((step) => [step.label, step]));
    this.#producers = producersOf(facts.plan);
  }

  get named(): ReadonlyMap<string, string> | undefined {
    return this.#named;
  }

  durationOf(label: string): number | undefined {
    return this.#records.durationOf(label);
  }

  async decide(hold: Hold, moved: Promise<boolean>, signal: AbortSignal): Promise<ReadonlyMap<string, Fate>> {
    const fates = await this.#decide(hold, moved, signal);
    const read = new Map<string, PlannedContext>();
    for (const [label, { kind }] of fates) {
      const context = kind === 'build' ? this.#contextOf(label) : undefined;
      if (context !== undefined) read.set(label, context);
    }
    this.#readers = new ContextReaders(this.#contexts, read, signal);
    return fates;
  }

  listed(label: string): ListedFolder | undefined {
    return this.#readers?.listed(label);
  }

  contextSent(label: string, asListed: boolean): void {
    this.#readers?.sent(label, asListed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#readers?.[Symbol.asyncDispose]();
  }

  async #decide(
    hold: Hold,
    moved: Promise<boolean>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Fate>> {
    const { steps } = this.#facts.plan;
    const named = this.#mayKeepAll ? this.#findNames(signal) : undefined;
    await this.#look(signal);
    const changed = new Map<string, readonly string[]>();
    for (const step of steps) {
      const why = await this.#whyChanged(step);
      if (why !== undefined) changed.set(step.label, why);
    }
    const given = {
      plan: this.#facts.plan,
      producers: this.#producers,
      changed,
      results: this.#results,
      keepArtifacts: this.#facts.keepArtifacts,
      leavesOutCommand: (step: PlannedStep) => this.#leavesOutCommand(step),
    };
    const unchanged =
      named && (await namedAlready(given, async () => ((await moved) ? this.#findNames(signal) : named)));
    if (unchanged !== undefined) return unchanged;
    return decideFates(given, hold, (label, imageId) => {
      this.#records.forgetImage(label, imageId);
    });
  }

  async #look(signal: AbortSignal): Promise<void> {
    const look = {
      session: this.#facts,
      producers: this.#producers,
      contexts: this.#contexts,
      readsContents: this.#records.isEmpty ? 'later' : 'now',
    } as const;
    this.#known = await lookAtSteps(look, signal);
    for (const [label, known] of this.#known) {
      const digest = known.kind === 'known' ? known.context?.digest : undefined;
      if (digest !== undefined) this.#digests.set(label, digest);
    }
  }

  /** Whether it may turn out that there is nothing to do. */
  get #mayKeepAll(): boolean {
    return !this.#facts.holdsAll && !this.#records.isEmpty;
  }

  /** Asked before the answer is known to be needed: it comes while files are looked at. */
  #findNames(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const names = this.#facts.plan.steps.flatMap(({ keep, imageName }) => (keep ? [imageName] : []));
    const found = this.#facts.engine.findNames(names, signal);
    found.then(
      (names) => (this.#named = names),
      // Who does not need it need not hear of it.
      () => undefined,
    );
    return found;
  }

  async remember(session: string, done: readonly DoneStep[], signal: AbortSignal): Promise<void> {
    const built = done.filter(({ fate }) => fate.kind === 'build');
    for (const { label, imageId } of built) this.#results.set(label, imageId);
    const contexts = built.flatMap(({ label }) => this.#contextOf(label) ?? []);
    const untouched = await this.#contexts.untouched(contexts, signal);
    for (const { label, imageId, durationMs } of built) {
      this.#records.noteDuration(label, durationMs);
      const context = this.#contextOf(label);
      const digest = context && untouched.get(context);
      if (context !== undefined && digest === undefined) continue;
      if (digest !== undefined) this.#digests.set(label, digest);
      const step = this.#steps.get(label);
      const fingerprint = step && this.#fingerprint(step);
      if (fingerprint === undefined) continue;
      this.#records.note(label, {
        fingerprint,
        imageId,
        session,
        at: Date.now(),
        ...(digest !== undefined && { context: digest.digest }),
      });
    }
    // Where nothing was built, fingerprints are what they were.
    if (built.length > 0) for (const step of done) this.#carryOver(step, session);
    for (const step of done) this.#noteCommand(step);
    await this.#records.save();
    await this.#contexts.save();
    if (this.#facts.store.problem !== undefined) this.#facts.warn(this.#facts.store.problem);
  }

  /**
   * An image that was gone may have been made again as another one of the same inputs. What had been built on the first and was
   * not built now counts as built on the second: else both would be built in turn for ever.
   */
  #carryOver({ label, fate, imageId }: DoneStep, session: string): void {
    const step = this.#steps.get(label);
    const fingerprint = step && this.#fingerprint(step);
    if (step === undefined || fingerprint === undefined || fate.kind === 'build') return;
    if (this.#records.imageOf(label, fingerprint.id) !== undefined) return;
    const context = this.#digests.get(label)?.digest;
    const at = Date.now();
    this.#records.note(label, {
      fingerprint,
      imageId,
      session,
      at,
      ...(context !== undefined && { context }),
    });
    if (fate.kind !== 'reuse' || fate.command === 'runs' || step.command === undefined) return;
    this.#records.noteCommand(label, fingerprint.id, imageId, commandDigest(step.command, this.#facts.key));
  }

  /** The step has succeeded: so has its command, if it ran. */
  #noteCommand({ label, fate, imageId }: DoneStep): void {
    if (
      fate.kind === 'leave' ||
      fate.kind === 'named' ||
      (fate.kind === 'reuse' && fate.command === 'left out')
    )
      return;
    const step = this.#steps.get(label);
    const fingerprint = step?.commandCache === true ? this.#fingerprint(step) : undefined;
    if (step?.command === undefined || fingerprint === undefined) return;
    this.#records.noteCommand(label, fingerprint.id, imageId, commandDigest(step.command, this.#facts.key));
  }

  /** Whether the command has succeeded in the image that is reused. Its network and limits are in the fingerprint. */
  #leavesOutCommand(step: PlannedStep): boolean {
    const { label, command, commandCache } = step;
    const fingerprint = commandCache ? this.#fingerprint(step) : undefined;
    if (command === undefined || fingerprint === undefined) return false;
    return this.#records.commandOf(label, fingerprint.id) === commandDigest(command, this.#facts.key);
  }

  /** `undefined`: an earlier session has made it of the same; its result is then known. */
  async #whyChanged(step: PlannedStep): Promise<readonly string[] | undefined> {
    const known = this.#known.get(step.label);
    if (known?.kind !== 'known') return [known?.why ?? 'nothing is known of it'];
    const fingerprint = this.#fingerprint(step);
    const imageId = fingerprint && this.#records.imageOf(step.label, fingerprint.id);
    if (imageId !== undefined) {
      this.#results.set(step.label, imageId);
      return undefined;
    }
    if (!this.#facts.explains) return [];
    const last = this.#records.last(step.label);
    const files = last?.context === undefined ? undefined : await keptFiles(this.#facts.store, last.context);
    const digest = this.#digests.get(step.label);
    return explain(last && { parts: last.fingerprint.parts, ...(files !== undefined && { files }) }, {
      parts: fingerprint?.parts ?? {},
      ...(digest !== undefined && { files: digest.files() }),
    });
  }

  #fingerprint(step: PlannedStep): Fingerprint | undefined {
    const known = this.#known.get(step.label);
    if (known?.kind !== 'known') return undefined;
    const digest = this.#digests.get(step.label);
    if (known.context !== undefined && digest === undefined) return undefined;
    const resultOf = (label: string): string => this.#results.get(label) ?? ANEW;
    const producers = this.#producers.get(step.label) ?? [];
    const inputs: StepInputs = {
      ...known.inputs,
      ...(digest !== undefined && { context: digest.digest }),
      steps: Object.fromEntries(step.dependsOn.map((label) => [label, resultOf(label)])),
      artifacts: producers.flatMap(({ label, artifacts }) =>
        artifacts.map((spec) => ({ ...spec, step: label, result: resultOf(label) })),
      ),
    };
    return fingerprintOf(inputs, this.#facts.key);
  }

  #contextOf(label: string): PlannedContext | undefined {
    const known = this.#known.get(label);
    return known?.kind === 'known' ? known.context?.planned : undefined;
  }
}
