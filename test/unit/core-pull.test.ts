/** Which images `--pull` fetches, how many at once, and what becomes of the others when one fails. */
import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../../src/core/events.js';
import { EngineError, StepError } from '../../src/core/errors.js';
import type { Plan, PlannedStep } from '../../src/core/plan.js';
import { pullBases } from '../../src/core/pull-bases.js';
import { FakeEngine } from '../support/fake-engine.js';

const ID = 'a'.repeat(64);

function step(label: string, lines: readonly string[], more: Partial<PlannedStep> = {}): PlannedStep {
  return {
    label,
    imageName: `${label}:latest`,
    dependsOn: [],
    context: '/work',
    dockerfile: {
      path: `/work/${label}/Dockerfile`,
      content: Buffer.from(`${lines.join('\n')}\n`),
      references: [],
    },
    args: {},
    noCache: false,
    artifacts: [],
    base: { kind: 'scratch' },
    secrets: [],
    ssh: [],
    commandCache: false,
    keep: true,
    ...more,
  };
}

interface Pulling {
  readonly done: Promise<void>;
  /** In the order in which they were begun. */
  readonly pulled: string[];
  readonly told: string[];
  /** Let a pull end, well or with an error. */
  readonly end: (image: string, error?: Error) => Promise<void>;
}

function pulling(steps: readonly PlannedStep[], signal = new AbortController().signal): Pulling {
  const plan: Plan = { file: '/work/build.yml', workDirectory: '/work', version: '2026-11-22', steps };
  const engine = new FakeEngine();
  const pulled: string[] = [];
  const told: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  engine.archives.pullImage = (image, stop) => {
    pulled.push(image);
    return new Promise((resolve, reject) => {
      stop.addEventListener('abort', () => {
        reject(stop.reason as Error);
      });
      ends.set(image, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  };
  const emit = (event: BuildEvent): void => {
    if (event.type === 'notice') told.push(event.message);
  };
  const end = async (image: string, error?: Error): Promise<void> => {
    await settled();
    ends.get(image)?.(error);
    await settled();
  };
  const done = pullBases(plan, engine, emit, signal);
  // It may end before a test looks at it.
  done.catch(() => undefined);
  return { done, pulled, told, end };
}

/** All that can go on without the outside has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('--pull', () => {
  it('fetches each image once, and none that is of a step, a stage, an ID or nothing at all', async () => {
    const lines = [
      'FROM debian:12 AS base',
      'FROM base AS more',
      'COPY --from=nginx /a /a',
      'RUN --mount=from=busybox:latest,target=/x true',
      `FROM sha256:${ID}`,
      `FROM ${ID}`,
      'COPY --from=docker.io/library/other:latest /b /b',
      'FROM scratch',
      'COPY --from=0 /c /c',
      'FROM debian:12',
    ];
    const run = pulling([step('app', lines), step('other', ['FROM debian:12'])]);
    for (const image of ['debian:12', 'nginx', 'busybox:latest']) await run.end(image);
    await run.done;
    expect(run.pulled).toEqual(['debian:12', 'nginx', 'busybox:latest']);
    expect(run.told).toEqual([
      'pulled debian:12',
      'pulled nginx',
      'pulled busybox:latest, which has not changed',
    ]);
  });

  it('fetches three at once', async () => {
    const run = pulling([
      step(
        'app',
        ['a', 'b', 'c', 'd', 'e'].map((name) => `FROM ${name}`),
      ),
    ]);
    await settled();
    expect(run.pulled).toEqual(['a', 'b', 'c']);
    await run.end('b');
    expect(run.pulled).toEqual(['a', 'b', 'c', 'd']);
    for (const image of ['a', 'c', 'd', 'e']) await run.end(image);
    await run.done;
  });

  it('says where an image is named that cannot be had, and stops the other pulls', async () => {
    const run = pulling([step('api', ['# a comment', 'FROM a', 'FROM b', 'FROM c', 'FROM d'])]);
    await run.end('b', new EngineError('The engine could not pull b: manifest unknown', { status: 404 }));
    await expect(run.done).rejects.toMatchObject({
      constructor: StepError,
      message: 'b, in line 3 of api/Dockerfile, could not be pulled: manifest unknown',
      hint: 'Check its name and the network; if it is private, log in with `docker login`. Without --pull an image that the engine has is used.',
    });
    expect(run.pulled).toEqual(['a', 'b', 'c']);
    expect(run.told).toEqual([]);
  });

  it('passes on that the engine itself is gone', async () => {
    const gone = new EngineError('The engine at tcp://x has not answered for 20 s');
    const run = pulling([step('api', ['FROM a'])]);
    await run.end('a', gone);
    await expect(run.done).rejects.toBe(gone);
  });

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController();
    const run = pulling([step('api', ['FROM a', 'FROM b', 'FROM c', 'FROM d'])], controller.signal);
    await settled();
    controller.abort(new Error('stopped'));
    await expect(run.done).rejects.toThrow('stopped');
    expect(run.pulled).toEqual(['a', 'b', 'c']);
  });
});
