/** Builds of steps that a test has planned by itself, on the engine in memory. */
import { join } from 'node:path';
import type { BuildResult } from '../../src/core/api.js';
import { runBuild } from '../../src/core/build.js';
import type { BuildEvent } from '../../src/core/events.js';
import type { PlannedStep } from '../../src/core/plan.js';
import type { BuildSettings } from '../../src/core/running-build.js';
import type { BuildSecrets } from '../../src/core/secrets.js';
import { userFolder } from '../../src/core/user-folder.js';
import { FakeEngine } from './fake-engine.js';
import { Gate } from './gate.js';

/** A step whose Dockerfile runs these commands, in a context without files: `folder` has to be empty. */
export function plannedStep(
  folder: string,
  label: string,
  runs: readonly string[],
  more: Partial<PlannedStep> = {},
): PlannedStep {
  const content = ['FROM busybox:latest', `LABEL of=${label}`, ...runs.map((run) => `RUN ${run}`), ''];
  return {
    label,
    imageName: `${label}:latest`,
    dependsOn: [],
    context: folder,
    dockerfile: {
      path: join(folder, 'Dockerfile'),
      content: Buffer.from(content.join('\n')),
      references: [],
    },
    args: {},
    noCache: false,
    artifacts: [],
    base: { kind: 'image', reference: 'busybox:latest' },
    secrets: [],
    ssh: [],
    commandCache: false,
    keep: true,
    ...more,
  };
}

/** Of a build without secrets. */
export const NO_SECRETS: BuildSecrets = {
  of: () => [],
  service: {
    serve: () =>
      Promise.resolve({
        args: {},
        stale: new AbortController().signal,
        built: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  },
};

export interface PlannedBuild {
  readonly engine: FakeEngine;
  readonly events: readonly BuildEvent[];
  readonly done: Promise<BuildResult>;
  /** Resolves once this was said by a step. */
  readonly said: (line: string) => Promise<void>;
}

export function runPlanned(
  folder: string,
  steps: readonly PlannedStep[],
  {
    engine = new FakeEngine(),
    signal = new AbortController().signal,
    ...more
  }: Partial<BuildSettings> & { readonly engine?: FakeEngine; readonly signal?: AbortSignal } = {},
): PlannedBuild {
  const events: BuildEvent[] = [];
  const waiting = new Map<string, Gate>();
  const gateOf = (line: string): Gate => {
    const gate = waiting.get(line) ?? new Gate();
    waiting.set(line, gate);
    return gate;
  };
  const settings: BuildSettings = {
    builder: 'buildkit',
    jobs: 4,
    keepGoing: false,
    keepArtifacts: false,
    network: 'default',
    limits: {},
    removeContainers: true,
    keepBuildCache: true,
    removal: { force: false, noPrune: false },
    folder: userFolder({ XDG_CACHE_HOME: folder }),
    holdings: Promise.resolve([]),
    secrets: NO_SECRETS,
    pull: false,
    explain: false,
    ...more,
  };
  const plan = {
    file: join(folder, 'build.yml'),
    workDirectory: folder,
    version: '2026-11-22',
    steps,
  } as const;
  const emit = (event: BuildEvent): void => {
    events.push(event);
    if (event.type === 'output') gateOf(event.line).open();
  };
  const done = runBuild(plan, engine, settings, emit, signal);
  return { engine, events, done, said: (line) => gateOf(line).opened };
}
