/** What the package does with sessions: list what they hold on an engine, and collect what dead ones have left. */
import pLimit from 'p-limit';
import { collect, lastWorkDone, listHoldings, type Holding } from './core/leftovers.js';
import { lifeOf } from './core/owner.js';
import type { Engine } from './core/ports.js';
import type {
  CollectedSession,
  GcOptions,
  GcResult,
  SessionsOptions,
  SessionSummary,
} from './core/session-api.js';
import { CALLS_AT_ONCE } from './core/calls-at-once.js';
import { userFolder } from './core/user-folder.js';
import { connect } from './engine/connect.js';

const DAY_MS = 86_400_000;

/** @throws {EngineError} no engine answers, or it failed */
export function listSessions(options: SessionsOptions): Promise<readonly SessionSummary[]> {
  return withEngine(options, async (engine) => {
    const holdings = await listHoldings(engine, userFolder(process.env), { volumes: true });
    return Promise.all(holdings.map((holding) => summarize(engine, holding)));
  });
}

/** @throws {EngineError} no engine answers, or it failed */
export function collectGarbage(options: GcOptions): Promise<GcResult> {
  const { olderThanMs = DAY_MS, dryRun = false } = options;
  const folder = userFolder(process.env);
  return withEngine(options, async (engine, signal) => {
    const holdings = await listHoldings(engine, folder, { volumes: true });
    const garbage = new Set(holdings.filter((holding) => isGarbage(holding, olderThanMs)));
    const collected: CollectedSession[] = [];
    const kept: SessionSummary[] = [];
    if (!dryRun) await lastWorkDone(garbage, signal);
    for (const holding of holdings) {
      signal.throwIfAborted();
      const summary = await summarize(engine, holding);
      if (!garbage.has(holding)) kept.push(summary);
      else if (dryRun) collected.push({ ...summary, problems: [] });
      else {
        const { containers, volumes, images, promotion, problems } = await collect(
          engine,
          folder,
          holding,
          signal,
        );
        collected.push({
          ...summary,
          containers,
          volumes,
          images,
          problems,
          ...(promotion !== undefined && { promotion: { how: promotion.how, names: promotion.names } }),
        });
      }
    }
    return { dryRun, collected, kept };
  });
}

function isGarbage({ life, began }: Holding, olderThanMs: number): boolean {
  switch (life) {
    case 'dead':
      return true;
    case 'running':
      return false;
    case 'unknown':
      return Date.now() - began > olderThanMs;
  }
}

async function summarize(
  engine: Engine,
  { session, life, began, owner, containers, volumes, names, unmarked }: Holding,
): Promise<SessionSummary> {
  const atOnce = pLimit(CALLS_AT_ONCE);
  const described = await Promise.all(
    [
      ...names.map(({ imageId }) => imageId),
      ...unmarked.flatMap(({ kind, id }) => (kind === 'image' ? id : [])),
    ].map((id) => atOnce(() => engine.describeImage(id))),
  );
  // What an image was made of is no image of its own.
  const sizes = new Map(
    described.flatMap((image) => (image === undefined ? [] : [[image.id, image.size] as const])),
  );
  const isHere = owner !== undefined && lifeOf(owner, began) !== 'unknown';
  return {
    session,
    state: life,
    began,
    ...(isHere && { pid: owner.pid }),
    containers: containers.length,
    volumes: volumes.length,
    images: sizes.size,
    names: names.length,
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
  };
}

async function withEngine<T>(
  options: SessionsOptions,
  work: (engine: Engine, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal = new AbortController().signal } = options;
  const engine = await connect({ ...options.engine, env: process.env }, signal);
  try {
    return await work(engine, signal);
  } finally {
    await engine.close();
  }
}
