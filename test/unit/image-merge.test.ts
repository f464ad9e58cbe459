/** Merging layers keeps what the image shows, and nothing else: against a slow reference, over random stacks. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeLayers } from '../../src/image/merged-layer.js';
import { spoolImageArchive } from '../../src/image/spool.js';
import { archive, diffIds, FORMS, type ArchiveForm } from '../support/image-archives.js';
import { ReferenceTree } from '../support/image-reference.js';
import { NAMES, stacks, type Stack } from '../support/image-stacks.js';
import { tar } from '../support/image-tar.js';

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

function contents(stack: Stack): string[] {
  return stack.flat().flatMap(({ body }) => /<content [0-9.]+>/.exec(body?.toString() ?? '') ?? []);
}
