/** Images that a session holds and somebody removes, on an engine in memory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { EngineError } from '../../src/core/errors.js';
import { FakeEngine } from '../support/fake-engine.js';
import { plannedStep, runPlanned, type PlannedBuild } from '../support/planned-build.js';

const warningOf = (labels: string): string =>
  `somebody has removed what this session had built of ${labels}: building once more`;

/** Loses images: those of steps, by the names that a session has given them or is about to give them. */
class LossyEngine extends FakeEngine {
  /** How often an image goes in the moment in which it is to get its final name. */
  losesAtNaming = 0;

  override tagImage(reference: string, name: string): Promise<void> {
    if (name === 'made:latest' && this.losesAtNaming-- > 0) this.images.delete(reference);
    return super.tagImage(reference, name);
  }

  lose(step: string): void {
    for (const { id, labels } of this.images.values()) if (labels['of'] === step) this.images.delete(id);
  }
}

let engine: LossyEngine;
let folder: string;
beforeEach(async () => {
  engine = new LossyEngine();
  folder = await mkdtemp(join(tmpdir(), 'habitus-lost-'));
  onTestFinished(() => rm(folder, { recursive: true }));
});

const warningsOf = ({ events }: PlannedBuild): readonly string[] =>
  events.flatMap((event) => (event.type === 'notice' && event.level === 'warning' ? [event.message] : []));

const builtSteps = (): readonly string[] =>
  engine.requests.map(({ dockerfile }) => /of=(\w+)/.exec(dockerfile.toString())?.[1] ?? '');

it('builds everything once more where an image is gone when it is to be named', async () => {
  engine.losesAtNaming = 1;
  const build = runPlanned(
    folder,
    [plannedStep(folder, 'other', ['true']), plannedStep(folder, 'made', ['true'])],
    { engine, jobs: 1 },
  );
  const { status, steps } = await build.done;
  expect(status).toBe('succeeded');
  expect(warningsOf(build)).toEqual([warningOf('made')]);
  expect(builtSteps()).toEqual(['other', 'made', 'other', 'made']);
  for (const { imageName, imageId } of steps) {
    expect((await engine.describeImage(imageName))?.id).toBe(imageId);
  }
  expect(engine.countLeftovers()).toBe(0);
});

it('builds everything once more where a step fails that comes after a lost image', async () => {
  let tries = 0;
  engine.scripts.set('take', () => {
    tries += 1;
    if (tries === 1) engine.lose('made');
    return Promise.resolve(tries === 1 ? 1 : 0);
  });
  const steps = [
    plannedStep(folder, 'made', ['true']),
    plannedStep(folder, 'between', ['true'], { dependsOn: ['made'] }),
    plannedStep(folder, 'taken', ['take'], { dependsOn: ['between'] }),
  ];
  const build = runPlanned(folder, steps, { engine });
  expect(await build.done).toMatchObject({ status: 'succeeded' });
  expect(warningsOf(build)).toEqual([warningOf('made')]);
  expect(builtSteps()).toEqual(['made', 'between', 'taken', 'made', 'between', 'taken']);
});

it('builds everything once more where a step fails whose own image is lost', async () => {
  let tries = 0;
  engine.scripts.set('use', () => {
    tries += 1;
    if (tries === 1) engine.lose('made');
    return Promise.resolve(tries === 1 ? 1 : 0);
  });
  const build = runPlanned(folder, [plannedStep(folder, 'made', ['true'], { command: 'use' })], { engine });
  expect(await build.done).toMatchObject({ status: 'succeeded' });
  expect(warningsOf(build)).toEqual([warningOf('made')]);
});

it('has failed where the step that failed has nothing to do with the lost image', async () => {
  engine.scripts.set('break', () => {
    engine.lose('made');
    return Promise.resolve(1);
  });
  const steps = [plannedStep(folder, 'made', ['true']), plannedStep(folder, 'broken', ['break'])];
  const build = runPlanned(folder, steps, { engine, jobs: 1 });
  expect(await build.done).toMatchObject({ status: 'failed' });
  expect(builtSteps()).toEqual(['made', 'broken']);
  expect(warningsOf(build)).toEqual([]);
});

it('has failed where a step fails and nothing is lost', async () => {
  const steps = [
    plannedStep(folder, 'made', ['true']),
    plannedStep(folder, 'broken', ['false'], { dependsOn: ['made'] }),
  ];
  expect(await runPlanned(folder, steps, { engine }).done).toMatchObject({ status: 'failed' });
  expect(builtSteps()).toEqual(['made', 'broken']);
});

it('has failed where the lost step itself fails when it is built once more', async () => {
  engine.losesAtNaming = 1;
  let tries = 0;
  engine.scripts.set('once', () => Promise.resolve(tries++));
  const build = runPlanned(folder, [plannedStep(folder, 'made', ['once'], { noCache: true })], { engine });
  expect(await build.done).toMatchObject({ status: 'failed', steps: [{ status: 'failed' }] });
  expect(tries).toBe(2);
  expect(engine.countLeftovers()).toBe(0);
});

it('gives up after three times, with what the engine says', async () => {
  engine.losesAtNaming = Infinity;
  const build = runPlanned(folder, [plannedStep(folder, 'made', ['true'])], { engine });
  await expect(build.done).rejects.toThrow(/^There is no sha256:/);
  expect(builtSteps()).toEqual(['made', 'made', 'made']);
  expect(warningsOf(build)).toEqual([warningOf('made'), warningOf('made')]);
  expect(engine.countLeftovers()).toBe(0);
});

it('does not begin again where the engine does not tell what is lost', async () => {
  engine.losesAtNaming = 1;
  const find = engine.findNames.bind(engine);
  engine.findNames = (names) =>
    names.includes('made:latest') ? find(names) : Promise.reject(new EngineError('no answer'));
  const build = runPlanned(folder, [plannedStep(folder, 'made', ['true'])], { engine });
  await expect(build.done).rejects.toThrow(/^There is no sha256:/);
  expect(builtSteps()).toEqual(['made']);
});

it('does not begin again once it is stopped', async () => {
  const stop = new AbortController();
  engine.scripts.set('take', () => {
    engine.lose('made');
    stop.abort(new Error('stopped by SIGINT'));
    return Promise.resolve(1);
  });
  const steps = [
    plannedStep(folder, 'made', ['true']),
    plannedStep(folder, 'taken', ['take'], { dependsOn: ['made'] }),
  ];
  const build = runPlanned(folder, steps, { engine, signal: stop.signal });
  expect(await build.done).toMatchObject({ status: 'cancelled', reason: 'stopped by SIGINT' });
  expect(builtSteps()).toEqual(['made', 'taken']);
});
