/** The fault suite: every call of a build is broken at its start, in its middle and right before its end. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Subject } from './build-project.js';
import {
  casesFor,
  callOf,
  isRepeatable,
  isStream,
  nthOf,
  OCCASIONAL,
  pointOf,
  table,
  textOf,
  type Blow,
  type Extent,
  type Place,
} from './fault-cases.js';
import type { Fault, FaultProxy, Script, SeenCall } from './fault-proxy.js';
import { Scene, SETTLED_MS, type Kind, type Outcome } from './fault-scene.js';
import { NOTHING, type Traces } from './images.js';

const BREAKS = [
  { fault: 'cut', place: 'start' },
  { fault: 'reset', place: 'middle' },
  { fault: 'half-close', place: 'end' },
] as const;
const KINDS = ['squash', 'hand-off'] as const;

/**
 * Whose connection may end without harm: an attached one ends like the output itself does, for whose end there is no mark; a
 * session is over once all is sent; what BuildKit keeps of a squash is only told of; the lists are first asked for by the
 * search for what dead sessions have left, which a build does without; and a lock is removed once more when its session ends.
 */
const MAY_SUCCEED = [
  '/containers/{id}/attach',
  '/session',
  '/build/prune',
  '/containers/json',
  '/images/json',
  '/volumes/{id}',
];

/** Broken connections of calls that are sent again are tried all in one build; the others one a build. */
export function describeFaults(subject: Subject, extent: Extent): void {
  describe(`faults of ${subject.name}`, () => {
    const scenes = new Map<Kind, Scene>();
    const recorded = new Map<Kind, readonly SeenCall[]>();
    const scene = (kind: Kind): Scene => known(scenes, kind);
    const lengthOf = (kind: Kind, call: SeenCall): SeenCall =>
      known(recorded, kind).find((seen) => textOf(seen) === textOf(call)) ?? call;

    beforeAll(async () => {
      for (const kind of KINDS) {
        scenes.set(kind, await Scene.make(kind, subject));
        recorded.set(kind, await scene(kind).calls());
      }
    });

    test('every kind of call that the builds make is in the table', () => {
      const made = [...recorded.values()]
        .flat()
        .map(textOf)
        .filter((call) => !OCCASIONAL.includes(call));
      expect([...new Set(made)].filter((call) => !table(subject).has(call))).toEqual([]);
      expect([...table(subject).keys()].filter((call) => !made.includes(call))).toEqual([]);
    });

    test.each(KINDS.flatMap((kind) => BREAKS.map((broken) => ({ kind, ...broken }))))(
      '$kind: every call that is safe to repeat, and broken by a $fault at its $place',
      async (given) => {
        const { kind, fault, place } = given;
        scene(kind).next();
        const script: Script = (call, calls) => {
          const isFirst =
            calls.filter(({ method, path }) => method === call.method && path === call.path).length === 1;
          // Pings are for a watchdog that has patience, but for the first of all.
          if (!isRepeatable(call) || !isFirst || call.shape === '/_ping') return undefined;
          if (isStream(call) && place !== 'start') return undefined;
          return { fault, point: pointOf(place, lengthOf(kind, call)) };
        };
        const outcome = await scene(kind).broken(script);
        expect(outcome).toMatchObject({ message: undefined });
        expect(outcome.proxy.struck).toBeGreaterThan(15);
        expect(outcome.warnings.length).toBeGreaterThan(15);
        expect(
          outcome.warnings.filter((line) => !/: the connection to \S+ broke: trying again$/.test(line)),
        ).toEqual([]);
        await expectComplete(scene(kind));
      },
    );

    const cases = casesFor(subject, extent).map((each) => [each.name, each] as const);
    test.each(cases)('%s', async (_, { kind, call, blows }) => {
      const nth = nthOf(call, subject);
      const whole = known(recorded, kind).filter((seen) => textOf(seen) === call)[nth - 1];
      if (whole === undefined) throw new Error(`no ${call} in the record`);
      let before = await scene(kind).versions();
      for (const { place, fault } of blows) {
        scene(kind).next();
        const outcome = await scene(kind).broken((seen, calls) => {
          const isIt =
            textOf(seen) === call && calls.filter((other) => textOf(other) === call).length === nth;
          return isIt ? { fault, point: pointOf(place, whole) } : undefined;
        });
        await expectSound(scene(kind), outcome, before, call, { place, fault });
        if (outcome.message === undefined) before = scene(kind).complete.versions;
      }
      expect(await scene(kind).build()).toMatchObject({ message: undefined, warnings: [] });
      await expectComplete(scene(kind));
    });
  });
}

/** It is told clearly, nothing is half done, and what is left is told. */
async function expectSound(
  scene: Scene,
  outcome: Outcome & { readonly proxy: FaultProxy },
  before: readonly (string | undefined)[],
  call: string,
  { place, fault }: Blow,
): Promise<void> {
  // What is said in a session, and what others have on the engine, differs from run to run.
  if (fault !== 'corrupt' && !call.endsWith(' /session')) expect(outcome.proxy.struck).toBe(1);
  expect(outcome.durationMs).toBeLessThan(SETTLED_MS);
  const said = [outcome.message ?? '', outcome.hint ?? '', ...outcome.warnings].join('\n');
  expect(said).not.toMatch(/undefined|\[object|\n\s+at |TypeError|[^\P{Cc}\n]/u);
  if (outcome.message === undefined) {
    const isHarmless = MAY_SUCCEED.some((shape) => call.endsWith(` ${shape}`));
    if (!isHarmless && !mayBeRight(call, place, fault))
      expect({ call, fault, said }).toBe('told as a failure');
    if (fault !== 'corrupt') expect(await scene.versions()).toEqual(scene.complete.versions);
  } else {
    expect(outcome.message).toMatch(/engine|image|container/i);
    expect(await scene.versions()).toEqual(before);
  }
  if (!/ (?:is|are|may be) left/.test(outcome.warnings.join('\n'))) {
    // The classic builder may make an image that it cannot tell of any more: the next build begins with it.
    const unheard = scene.builder === 'classic' && call === 'POST /build' ? 1 : 0;
    const look = async (): Promise<Traces> => {
      const { dangling, madeBy, ...left } = await scene.traces();
      return { ...left, dangling: dangling.slice(unheard), madeBy: madeBy.slice(unheard) };
    };
    // An engine that nobody listens to needs a moment to hear of it.
    await expect.poll(look, { timeout: 5000 }).toEqual(NOTHING);
  }
  await scene.sweep(await scene.traces());
}

/** What is asked for again is right in the end; a flipped bit may be of no importance. */
function mayBeRight(call: string, place: Place, fault: Fault): boolean {
  if (fault === 'corrupt') return true;
  const isBroken = fault === 'cut' || fault === 'reset' || fault === 'half-close';
  return isBroken && isRepeatable(callOf(call)) && (place === 'start' || !isStream(callOf(call)));
}

async function expectComplete(scene: Scene): Promise<void> {
  expect({ versions: await scene.versions(), traces: await scene.traces() }).toEqual(scene.complete);
}

function known<Key, Value>(values: ReadonlyMap<Key, Value>, key: Key): Value {
  const value = values.get(key);
  if (value === undefined) throw new Error(`no ${String(key)}`);
  return value;
}
