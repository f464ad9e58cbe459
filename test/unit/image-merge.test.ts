/** Merging layers keeps what the image shows, and nothing else: against a slow reference, over random stacks. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeLayers } from '../../src/image/merged-layer.js';
import { spoolImageArchive } from '../../src/image/spool.js';
import { archive, diffIds, FORMS, type ArchiveForm } from '../support/image-archives.js';
import { readTar, ReferenceTree } from '../support/image-reference.js';
import { NAMES, stacks, type Stack } from '../support/image-stacks.js';
import { tar, type TarItem } from '../support/image-tar.js';

const signal = new AbortController().signal;

async function merge(layers: readonly Buffer[], baseLayers: number, form: ArchiveForm = 'docker28') {
  const image = { layers };
  const input = Readable.from([archive(image, form)]);
  await using spooled = await spoolImageArchive(input, { diffIds: diffIds(image), baseLayers }, signal);
  const merged = await mergeLayers(spooled);
  const bytes = await buffer(merged.stream(signal));
  expect(bytes.length).toBe(merged.size);
  return { bytes, stats: merged.stats };
}

function tree(layers: readonly Buffer[]): ReferenceTree {
  return layers.reduce((at, layer) => at.apply(layer), new ReferenceTree());
}

const forms = fc.constantFrom(...FORMS);

describe('a merged layer', () => {
  test('makes of its base what the layers made of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        stacks({ missingParents: true }),
        forms,
        async ({ layers: stack, baseLayers }, form) => {
          const layers = stack.map((items) => tar(items));
          const { bytes } = await merge(layers, baseLayers, form);
          const base = layers.slice(0, baseLayers);
          expect(tree([...base, bytes]).lines()).toEqual(tree(layers).lines());
        },
      ),
      { numRuns: 300 },
    );
  });

  test('holds no name and no content of what is gone', async () => {
    await fc.assert(
      fc.asyncProperty(stacks({ missingParents: true }), async ({ layers: stack, baseLayers }) => {
        const layers = stack.map((items) => tar(items));
        const { bytes } = await merge(layers, baseLayers);
        const alive = tree(layers).text();
        const base = layers
          .slice(0, baseLayers)
          .reduce((at, layer) => at.apply(layer), new ReferenceTree())
          .text();
        const merged = bytes.toString('latin1');
        for (const name of NAMES)
          if (!alive.includes(name) && !base.includes(name)) expect(merged).not.toContain(name);
        for (const content of contents(stack))
          if (!alive.includes(content)) expect(merged).not.toContain(content);
      }),
      { numRuns: 200 },
    );
  });

  test('says nothing of deletions when it is made from scratch', async () => {
    await fc.assert(
      fc.asyncProperty(stacks({ missingParents: true }), async ({ layers: stack }) => {
        const layers = stack.map((items) => tar(items));
        const { bytes, stats } = await merge(layers, 0);
        expect(tree([bytes]).lines()).toEqual(tree(layers).lines());
        expect(stats.marks).toBe(0);
        expect(bytes.toString('latin1')).not.toContain('.wh.');
      }),
      { numRuns: 150 },
    );
  });

  test('is itself when it is merged again', async () => {
    await fc.assert(
      fc.asyncProperty(stacks({ missingParents: true }), async ({ layers: stack, baseLayers }) => {
        const layers = stack.map((items) => tar(items));
        const base = layers.slice(0, baseLayers);
        const { bytes } = await merge(layers, baseLayers);
        const again = await merge([...base, bytes], baseLayers);
        expect(again.bytes.equals(bytes)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

const file = (name: string): TarItem => ({ name, type: '0', body: Buffer.from(`content of ${name}`) });
const folder = (name: string): TarItem => ({ name: `${name}/`, type: '5', mode: 0o755 });
const names = (layer: Buffer) => readTar(layer).map(({ entry }) => entry.path);

describe('over a base with a folder of files, a merged layer', () => {
  const base = tar([folder('d'), file('d/x'), file('d/y'), file('f')]);

  test.each<[string, readonly (readonly TarItem[])[], readonly string[]]>([
    ['hides a folder that was removed', [[file('.wh.d')]], ['.wh.d']],
    [
      'hides the old files of a folder made again',
      [[file('.wh.d')], [folder('d'), file('d/z')]],
      ['d/', 'd/.wh..wh..opq', 'd/z'],
    ],
    [
      'hides the old files of a folder that was a file meanwhile',
      [[file('d')], [folder('d')]],
      ['d/', 'd/.wh..wh..opq'],
    ],
    ['needs no mark where the base had a file', [[file('.wh.f')], [folder('f'), file('f/z')]], ['f/', 'f/z']],
    ['says nothing of what came and went', [[folder('new'), file('new/secret')], [file('.wh.new')]], []],
    [
      'says nothing of what came and went in a folder of the base',
      [
        [folder('d'), file('d/secret')],
        [folder('d'), file('d/.wh.secret')],
      ],
      ['d/'],
    ],
    [
      'says of a removed file that the base has it no more',
      [
        [folder('d'), file('d/x')],
        [folder('d'), file('d/.wh.x')],
      ],
      ['d/', 'd/.wh.x'],
    ],
    [
      'forgets removals inside a folder that is hidden',
      [
        [folder('d'), file('d/.wh.x')],
        [folder('d'), file('d/.wh..wh..opq')],
      ],
      ['d/', 'd/.wh..wh..opq'],
    ],
    ['ignores the marks of AUFS', [[file('.wh..wh.plnk'), file('.wh..wh.aufs')]], []],
    [
      'sorts by bytes, parents first',
      [[file('b'), file('a-b'), folder('a'), file('a/z')]],
      ['a/', 'a/z', 'a-b', 'b'],
    ],
  ])('%s', async (_, layers, expected) => {
    const { bytes } = await merge([base, ...layers.map((items) => tar(items))], 1);
    expect(names(bytes)).toEqual(expected);
  });

  test('gives the content of a hard-link group to a member that is left, without the name of the one that is gone', async () => {
    const long = (end: string) => `${'p'.repeat(120)}/${end}`;
    const first: TarItem = { ...file(long('secret-target')), form: 'ustar', mtime: '5' };
    for (const form of ['pax', 'gnu', 'ustar'] as const) {
      const link = (name: string): TarItem => ({
        name: long(name),
        type: '1',
        // A ustar header has no room for a long target.
        linkname: form === 'ustar' ? 'short-secret' : long('secret-target'),
        form,
        mtime: '5',
      });
      const target = form === 'ustar' ? { ...first, name: 'short-secret' } : first;
      const layers = [
        base,
        tar([folder('p'.repeat(120)), target, link('one'), link('two')]),
        tar([file(form === 'ustar' ? '.wh.short-secret' : long('.wh.secret-target'))]),
      ];
      const { bytes } = await merge(layers, 1);
      expect(tree([base, bytes]).lines()).toEqual(tree(layers).lines());
      expect(names(bytes)).toEqual([`${'p'.repeat(120)}/`, long('one'), long('two')]);
      expect(bytes.toString('latin1').replace(String(target.body), '')).not.toContain('secret');
    }
  });

  test('keeps no part of the name of a hard link that is gone', async () => {
    const parent = 'p'.repeat(120);
    const gone: TarItem = { name: `${parent}/gone`, type: '1', linkname: 'left', form: 'ustar' };
    const layers = [base, tar([folder(parent), file('left'), gone]), tar([file(`${parent}/.wh.gone`)])];
    const { bytes } = await merge(layers, 1);
    expect(names(bytes)).toEqual(['left', `${parent}/`]);
    expect(tree([base, bytes]).lines()).toEqual(tree(layers).lines());
    expect(bytes.toString('latin1')).not.toContain('gone');
  });

  test('takes no room for the base', async () => {
    const big = tar([{ name: 'big', type: '0', body: Buffer.alloc(1 << 20) }]);
    const image = { layers: [big, tar([file('a')])] };
    for (const form of FORMS) {
      const input = Readable.from([archive(image, form)]);
      await using spooled = await spoolImageArchive(
        input,
        { diffIds: diffIds(image), baseLayers: 1 },
        signal,
      );
      expect(spooled.spool.position).toBeLessThan(1 << 15);
    }
  });
});

function contents(stack: Stack): string[] {
  return stack.flat().flatMap(({ body }) => /<content [0-9.]+>/.exec(body?.toString() ?? '') ?? []);
}
