/** What becomes of unchanged steps when their images cannot be held. */
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { decideFates } from '../../src/cache/fates.js';
import type { PlannedStep } from '../../src/core/plan.js';

test('where one fails, no more are held, and all that were begun have ended', async () => {
  const labels = Array.from({ length: 30 }, (_, index) => `s${index}`);
  const steps = labels.map(
    (label) => ({ label, keep: true, dependsOn: [], artifacts: [] }) as unknown as PlannedStep,
  );
  const known = {
    plan: { file: 'build.yml', workDirectory: '/', version: '2026-11-22', steps },
    producers: new Map(),
    changed: new Map(),
    results: new Map(labels.map((label) => [label, `sha256:${label}`])),
    keepArtifacts: false,
    leavesOutCommand: () => false,
  } as const;
  let [begun, ended] = [0, 0];
  const hold = async (label: string): Promise<boolean> => {
    begun += 1;
    if (label === 's0') throw new Error('the engine is gone');
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
    ended += 1;
    return true;
  };
  await expect(decideFates(known, hold, () => undefined)).rejects.toThrow('the engine is gone');
  expect([begun < labels.length, ended]).toEqual([true, begun - 1]);
});
