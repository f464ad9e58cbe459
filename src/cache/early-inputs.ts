/** What is known of a step's inputs before anything is built: files are listed and base images looked at. */
import type { Plan, PlannedStep } from '../core/plan.js';
import type { Builder, Engine, Limits } from '../core/ports.js';
import type { Secret } from '../core/secrets.js';
import { usesContext } from '../dockerfile/uses-context.js';
import { ContextError } from '../tar/errors.js';
import { artifactParents } from './artifact-parents.js';
import { lookAtBases, lookOnce } from './bases.js';
import type { ContextDigest } from './context-digest.js';
import type { Contexts, PlannedContext } from './contexts.js';
import type { StepInputs } from './fingerprint.js';
import { unpredictable } from './unpredictable.js';

/** What is the same for all steps of a session. */
export interface SessionInputs {
  readonly plan: Plan;
  readonly engine: Engine;
  readonly builder: Builder;
  readonly network: string;
  readonly limits: Limits;
  readonly version: string;
  readonly secretsOf: (label: string) => readonly Secret[];
}

export type Known =
  /** Nothing says what will come of it. */
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'known'; readonly inputs: EarlyInputs; readonly context?: KnownContext };

/** Without the results of other steps, which may be built first, and what is read while the step is built. */
export type EarlyInputs = Omit<StepInputs, 'steps' | 'artifacts' | 'context'>;

export interface KnownContext {
  readonly planned: PlannedContext;
  /** Absent where its contents are read later. */
  readonly digest: ContextDigest | undefined;
}

export interface Look {
  readonly session: SessionInputs;
  /** The steps whose artifacts a step takes, by its label. */
  readonly producers: ReadonlyMap<string, readonly PlannedStep[]>;
  readonly contexts: Contexts;
  /** `later`: where nothing was built yet, contents decide nothing, and are read when they have been sent. */
  readonly readsContents: 'now' | 'later';
}

/**
 * @returns by label, for every step of the plan
 * @throws EngineError, or the signal's reason
 */
export async function lookAtSteps(look: Look, signal: AbortSignal): Promise<ReadonlyMap<string, Known>> {
  const { plan, engine } = look.session;
  const bases = lookOnce(engine, signal);
  const known = plan.steps.map(
    async (step) => [step.label, await lookAtStep(step, look, bases, signal)] as const,
  );
  return new Map(await Promise.all(known));
}

async function lookAtStep(
  step: PlannedStep,
  look: Look,
  lookAt: ReturnType<typeof lookOnce>,
  signal: AbortSignal,
): Promise<Known> {
  const { dockerfile, args } = step;
  if (step.noCache) return { kind: 'unknown', why: 'no_cache asks for it' };
  const why = unpredictable(dockerfile.content, args);
  if (why !== undefined) return { kind: 'unknown', why };
  const ownReads = usesContext(dockerfile.content);
  const taken = await lookAtBases(step, lookAt);
  if ('why' in taken) return { kind: 'unknown', why: taken.why };
  const inputs = inputsOf(step, taken.bases, look.session);
  if (!taken.readContext && !ownReads) return { kind: 'known', inputs };
  const planned = contextOf(step, look);
  try {
    const digest = await look.contexts.list(planned, look.readsContents, signal);
    return { kind: 'known', inputs, context: { planned, digest } };
  } catch (error) {
    if (!(error instanceof ContextError)) throw error;
    return { kind: 'unknown', why: error.message };
  }
}

function inputsOf(
  { label, dockerfile, target, args, cleanup, squash, ssh }: PlannedStep,
  bases: EarlyInputs['bases'],
  { engine, builder, network, limits, version, secretsOf }: SessionInputs,
): EarlyInputs {
  return {
    version,
    dockerfile: dockerfile.content,
    references: dockerfile.references,
    ...(target !== undefined && { target }),
    args,
    network,
    limits,
    builder,
    engine: { id: engine.info.id, store: engine.info.store },
    bases,
    ...(cleanup !== undefined && { cleanup }),
    ...(squash !== undefined && { squash }),
    secrets: Object.fromEntries(secretsOf(label).map(({ name, digest }) => [name, digest])),
    ssh: ssh.map(({ id }) => id),
  };
}

function contextOf(
  { label, context, dockerfile: { ignore } }: PlannedStep,
  { producers, session }: Look,
): PlannedContext {
  const taken = (producers.get(label) ?? []).flatMap(({ artifacts }) => artifacts);
  return {
    directory: context,
    parents: artifactParents(taken, session.plan.workDirectory, context),
    ...(ignore !== undefined && { ignore }),
  };
}
