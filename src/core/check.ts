/** What must hold between a plan and the builder that will run it: refused before anything is built. */
import { relative } from 'node:path';
import { buildkitFeatures } from '../dockerfile/buildkit-features.js';
import { EngineError, UsageError } from './errors.js';
import type { Plan } from './plan.js';
import type { Builder, EngineInfo } from './ports.js';

/** @throws EngineError when the engine does not offer the builder that was asked for */
export function chooseBuilder(asked: 'auto' | Builder, engine: EngineInfo): Builder {
  const [first] = engine.builders;
  const builder = asked === 'auto' ? first : engine.builders.find((offered) => offered === asked);
  if (builder !== undefined) return builder;
  throw new EngineError(`${engine.name} has no ${asked} builder`, {
    hint: `It offers: ${engine.builders.join(', ')}. Leave --builder out to take the one it prefers.`,
  });
}

/** @throws UsageError naming every place that the builder cannot do */
export function checkPlan(plan: Plan, builder: Builder): void {
  if (builder === 'buildkit') return;
  const places = plan.steps.flatMap(({ dockerfile: { path, content } }) =>
    buildkitFeatures(content).map(
      ({ feature, line }) => `${relative(plan.workDirectory, path)}:${line}: ${feature}`,
    ),
  );
  if (places.length === 0) return;
  throw new UsageError(
    `the classic builder does not know what these Dockerfiles use:\n  ${[...new Set(places)].join('\n  ')}`,
    {
      hint: 'Build with --builder buildkit, on an engine that offers it.',
    },
  );
}
