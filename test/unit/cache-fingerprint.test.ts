import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/cache/explain.js';
import { FileStates } from '../../src/cache/file-states.js';
import { fingerprintOf, type StepInputs } from '../../src/cache/fingerprint.js';
import { digests } from '../support/digests.js';

const KEY = Buffer.alloc(32, 7);

const word = fc.string({ unit: 'binary', maxLength: 6 });
const name = fc.constantFrom('a', 'b', 'c', 'A', 'a b', '__proto__', '1', '');
const record = fc.dictionary(name, word, { maxKeys: 4 });
const option = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const required = fc.record({
  version: word,
  dockerfile: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  references: fc
    .uniqueArray(fc.record({ start: fc.nat(9), end: fc.nat(9), label: name }), {
      selector: ({ start }) => start,
      maxLength: 3,
    })
    .map((places) => places.sort((a, b) => a.start - b.start)),
  args: record,
  network: word,
  limits: fc.constantFrom({}, { memory: 1 }, { cpuShares: 1 }, { cpusetCpus: '1' }),
  builder: fc.constantFrom('classic' as const, 'buildkit' as const),
  engine: fc.record({ id: word, store: fc.constantFrom('graphdriver' as const, 'containerd' as const) }),
  bases: record,
  steps: record,
  artifacts: fc.array(fc.record({ step: name, result: word, source: word, destination: word }), {
    maxLength: 3,
  }),
  secrets: record,
  ssh: fc.uniqueArray(name, { maxLength: 3 }).map((ids) => ids.sort()),
});
const optional = fc.record({
  target: option(word),
  context: option(word),
  cleanup: option(
    fc.record(
      {
        commands: fc.array(fc.oneof(word, fc.array(word, { maxLength: 2 })), { maxLength: 2 }),
        user: word,
        network: fc.constant('none' as const),
      },
      { requiredKeys: ['commands'] },
    ),
  ),
  squash: option(fc.constantFrom('base' as const, 'scratch' as const)),
});
const inputs: fc.Arbitrary<StepInputs> = fc.tuple(required, optional).map(([always, sometimes]) => ({
  ...always,
  ...(Object.fromEntries(Object.entries(sometimes).filter(([, value]) => value !== undefined)) as object),
}));

/** The same inputs, made in another order. */
function reordered(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, inner] of Object.entries(value).reverse()) copy[key] = reordered(inner);
  return copy;
}

/** Canonical text of the inputs, independent of the code under test. */
const text = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))
      : inner,
  );

const BASIC: StepInputs = {
  version: '2.0.0',
  dockerfile: Buffer.from('FROM debian:12\n'),
  references: [{ start: 5, end: 9, label: 'compile' }],
  target: 'run',
  args: { VERSION: '1' },
  network: 'default',
  limits: {},
  builder: 'buildkit',
  engine: { id: 'E', store: 'graphdriver' },
  bases: { 'debian:12': 'sha256:1' },
  steps: { compile: 'sha256:2' },
  artifacts: [{ step: 'compile', result: 'sha256:2', source: '/out', destination: '' }],
  context: 'c1',
  cleanup: { commands: ['rm x'] },
  squash: 'base',
  secrets: { token: 'd1' },
  ssh: ['default'],
};

const why = (before: StepInputs, now: StepInputs, files: [FileStates, FileStates] | [] = []) =>
  explain(
    { parts: fingerprintOf(before, KEY).parts, ...(files[0] && { files: files[0] }) },
    { parts: fingerprintOf(now, KEY).parts, ...(files[1] && { files: files[1] }) },
  );

describe('a fingerprint', () => {
  it('is equal for equal inputs, in whatever order they come', () => {
    fc.assert(
      fc.property(inputs, (given) => {
        expect(fingerprintOf(reordered(given) as StepInputs, KEY)).toEqual(fingerprintOf(given, KEY));
        expect(why(given, reordered(given) as StepInputs)).toEqual(['its image is gone from the engine']);
      }),
    );
  });

  it('differs for different inputs, and there is a reason for it', () => {
    fc.assert(
      fc.property(inputs, inputs, (a, b) => {
        const same = text(a) === text(b);
        expect(fingerprintOf(a, KEY).id === fingerprintOf(b, KEY).id).toBe(same);
        if (!same) expect(why(a, b)).not.toContain('its image is gone from the engine');
      }),
    );
  });

  it('changes with any one of its inputs, and parts tell which', () => {
    fc.assert(
      fc.property(inputs, inputs, fc.nat(), (a, b, choice) => {
        const keys = Object.keys({ ...a, ...b }) as (keyof StepInputs)[];
        const key = keys[choice % keys.length] ?? 'version';
        const { [key]: value } = b;
        const others = Object.fromEntries(Object.entries(a).filter(([other]) => other !== key));
        const mixed = { ...others, ...(value !== undefined && { [key]: value }) } as StepInputs;
        if (text(mixed) === text(a)) return;
        const [before, after] = [fingerprintOf(a, KEY), fingerprintOf(mixed, KEY)];
        expect(after.id).not.toBe(before.id);
        expect(after.parts).not.toEqual(before.parts);
        expect(why(a, mixed)).not.toContain('its image is gone from the engine');
      }),
    );
  });

  it('depends on the key, so that nobody can guess what it is made from', () => {
    const other = fingerprintOf(BASIC, Buffer.alloc(32, 8));
    const mine = fingerprintOf(BASIC, KEY);
    expect(other.id).not.toBe(mine.id);
    expect(other.parts['build arg VERSION']).not.toBe(mine.parts['build arg VERSION']);
    expect(mine.parts['build arg VERSION']).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe('explaining', () => {
  it('says that a step was never built', () => {
    expect(explain(undefined, fingerprintOf(BASIC, KEY))).toEqual(['never built here']);
  });

  it.each<[Partial<StepInputs>, string[]]>([
    [{ dockerfile: Buffer.from('FROM debian:13\n') }, ['its Dockerfile changed']],
    [{ target: 'test' }, ['its target changed']],
    [{ args: { VERSION: '2' } }, ['build arg VERSION changed']],
    [{ args: {} }, ['build arg VERSION is no longer there']],
    [{ args: { VERSION: '1', NEW: '' } }, ['build arg NEW is new']],
    [
      { args: { 'E\u001b[2J': '' }, bases: {} },
      [
        'build arg E\ufffd[2J is new',
        'base image debian:12 is no longer there',
        'build arg VERSION is no longer there',
      ],
    ],
    [{ network: 'none' }, ['the network of RUN changed']],
    [{ limits: { memory: 5 } }, ['the limits of RUN changed']],
    [{ builder: 'classic' }, ['the builder changed']],
    [{ engine: { id: 'E', store: 'containerd' } }, ['the engine changed']],
    [{ bases: { 'debian:12': 'sha256:9' } }, ['base image debian:12 changed']],
    [{ steps: { compile: 'sha256:9' } }, ['step compile is built anew']],
    [
      {
        steps: { compile: 'sha256:9' },
        artifacts: [{ step: 'compile', result: 'sha256:9', source: '/out', destination: '' }],
      },
      ['step compile is built anew'],
    ],
    [
      { artifacts: [{ step: 'compile', result: 'sha256:9', source: '/out', destination: '' }] },
      ['artifact /out of step compile changed'],
    ],
    [
      { artifacts: [...BASIC.artifacts, { step: 'b', result: 'r', source: '/x', destination: 'd' }] },
      ['artifact /x:d of step b is new'],
    ],
    [{ references: [{ start: 5, end: 8, label: 'compile' }] }, ['step compile is built anew']],
    [{ context: 'c2' }, ['its context changed']],
    [{ cleanup: { commands: [['rm', 'x']] } }, ['its cleanup changed']],
    [{ squash: 'scratch' }, ['its squash changed']],
    [{ secrets: { token: 'd2' } }, ['secret token changed']],
    [{ ssh: [] }, ['ssh default is no longer there']],
    [{ version: '2.0.1' }, ['Habitus itself changed']],
    [{ version: '2.0.1', args: {} }, ['Habitus itself changed']],
    [{}, ['its image is gone from the engine']],
  ])('names what changed: %o', (change, sentences) => {
    expect(why(BASIC, { ...BASIC, ...change })).toEqual(sentences);
  });

  it('names a change of order only where nothing else tells it', () => {
    const two = [
      { step: 'a', result: '1', source: '/x', destination: '' },
      { step: 'b', result: '2', source: '/x', destination: '' },
    ];
    const before = { ...BASIC, artifacts: two };
    expect(why(before, { ...BASIC, artifacts: two.toReversed() })).toEqual([
      'the order of its artifacts changed',
    ]);
  });

  it('names the files that changed, the first few', () => {
    const content = (letter: string, mode = 0o100644) => ({ mode, digest: letter.repeat(32) });
    const linkTo = (target: string) => ({ mode: 0o120777, target });
    const states = (files: Record<string, { mode: number; digest?: string; target?: string }>) => {
      const all = Object.values(files);
      const others = all.map(({ target }, place) => (target === undefined ? '' : `${place}\0${target}\0`));
      const layout = {
        paths: Buffer.from(Object.keys(files).join('\0'), 'latin1'),
        states: Buffer.from(new Float64Array(all.flatMap(({ mode }) => [mode, 1])).buffer),
        others: Buffer.from(others.join(''), 'latin1'),
      };
      const contents = digests(...all.map(({ digest }) => digest)).present();
      return FileStates.decode(new FileStates(layout, contents).encode());
    };
    const before = states({
      'src/main.c': content('a'),
      run: content('x'),
      old: content('o'),
      l: linkTo('a'),
    });
    const after = (files: Parameters<typeof states>[0]) =>
      why(BASIC, { ...BASIC, context: 'c2' }, [before, states(files)]);
    expect(
      after({
        'src/main.c': content('b'),
        run: content('x', 0o100755),
        old: content('o'),
        l: linkTo('a'),
      }),
    ).toEqual(['src/main.c changed', 'the mode of run changed']);
    expect(
      after({ 'src/main.c': content('a'), run: content('x'), 'a b\n': content('n'), l: linkTo('b') }),
    ).toEqual(['"a b\\n" is new', 'l changed', 'old is no longer there']);
    expect(after({})).toEqual([
      'src/main.c is no longer there',
      'run is no longer there',
      'old is no longer there',
      '1 more file of its context changed',
    ]);
  });
});
