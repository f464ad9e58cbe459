import { EventEmitter, once } from 'node:events';
import { link, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { BuildContext, ContextEntry } from '../../src/tar/context.js';
import { compileIgnore } from '../../src/tar/ignore.js';
import { createContext } from '../../src/tar/overlay.js';
import { GENERATED_DOCKERFILE, packContext, type DockerfileSource } from '../../src/tar/pack.js';
import { member, NEVER, readAll, run, scan } from '../support/tar.js';
import { plant, temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const generated: DockerfileSource = { type: 'generated', content: Buffer.from('FROM scratch\n') };

function context(ignore?: string): BuildContext {
  return createContext({
    directory: folder.path,
    workDirectory: folder.path,
    artifacts: [],
    ...(ignore !== undefined && { ignore: compileIgnore(ignore) }),
  });
}

async function packed(dockerfile = generated, ignore?: string): Promise<Record<string, string>> {
  const { body } = packContext(context(ignore), dockerfile, NEVER);
  const found = scan(await readAll(body));
  return Object.fromEntries(found.map(({ entry, content }) => [entry.path, content.toString('latin1')]));
}

describe('a packed context', () => {
  it('holds every file as it is, small, large and empty, in order', async () => {
    const large = 'L'.repeat(2_500_001);
    const many = Array.from({ length: 300 }, (_, i) => `m/${String(i).padStart(3, '0')}`);
    await plant(folder.path, ['empty=', 'dir/', 'n\xff\n=x', 'link -> dir', ...many]);
    await writeFile(join(folder.path, 'large'), large);
    const { body } = packContext(context(), generated, NEVER);
    const archive = await readAll(body);
    const found = scan(archive);
    expect(found.map(({ entry }) => entry.path)).toEqual([
      'dir/',
      'empty',
      'large',
      'link',
      'm/',
      ...many,
      'n\xff\n',
      '.dockerignore',
      GENERATED_DOCKERFILE,
    ]);
    const content = new Map(found.map((one) => [one.entry.path, one.content.toString('latin1')]));
    expect(content.get('large') === large).toBe(true);
    expect(many.every((path) => content.get(path) === path)).toBe(true);
    expect(content.get('n\xff\n')).toBe('x');
    expect(run('tar', ['-t'], archive).split('\n')).toHaveLength(found.length + 1);
  });

  it('is the same every time', async () => {
    await plant(folder.path, ['b', 'a/c', '.dockerignore=x']);
    const twice = [0, 1].map(() => readAll(packContext(context(), generated, NEVER).body));
    const [one, two] = await Promise.all(twice);
    expect(one).toEqual(two);
  });

  it('leaves in few large pieces', async () => {
    await plant(
      folder.path,
      Array.from({ length: 2000 }, (_, i) => `f${i}`),
    );
    const sizes: number[] = [];
    for await (const chunk of packContext(context(), generated, NEVER).body)
      sizes.push((chunk as Buffer).length);
    expect(sizes).toHaveLength(2);
  });

  it('keeps hard links', async () => {
    await plant(folder.path, ['a=shared']);
    await link(join(folder.path, 'a'), join(folder.path, 'b'));
    const found = scan(await readAll(packContext(context(), generated, NEVER).body));
    expect(found[1]?.entry).toMatchObject({ path: 'b', type: '1', linkname: 'a', size: 0 });
  });
});

describe('a generated Dockerfile', () => {
  it('comes with a .dockerignore that makes the engine remove both', async () => {
    await plant(folder.path, ['Dockerfile=FROM old']);
    expect(packContext(context(), generated, NEVER).dockerfile).toBe('.habitus.Dockerfile');
    expect(await packed()).toEqual({
      Dockerfile: 'FROM old',
      '.dockerignore': '.dockerignore\n.habitus.Dockerfile\n',
      '.habitus.Dockerfile': 'FROM scratch\n',
    });
  });

  it('adds lines to a .dockerignore of the context, so that the engine removes only the Dockerfile', async () => {
    await plant(folder.path, ['.dockerignore=*.log', 'x.log']);
    expect(await packed(generated, '*.log')).toEqual({
      '.dockerignore': '*.log\n!.dockerignore\n.habitus.Dockerfile\n',
      '.habitus.Dockerfile': 'FROM scratch\n',
    });
  });

  it('replaces a .dockerignore that .dockerignore leaves out, or that is a symlink', async () => {
    const both = {
      '.dockerignore': '.dockerignore\n.habitus.Dockerfile\n',
      '.habitus.Dockerfile': 'FROM scratch\n',
    };
    await plant(folder.path, ['.dockerignore=.dockerignore']);
    expect(await packed(generated, '.dockerignore')).toEqual(both);
    await rm(join(folder.path, '.dockerignore'));
    await symlink('target', join(folder.path, '.dockerignore'));
    expect(await packed()).toEqual(both);
  });

  it('refuses a file of its own name, and a .dockerignore that is a folder', async () => {
    await plant(folder.path, ['.habitus.Dockerfile']);
    await expect(packed()).rejects.toMatchObject({
      message: 'The context holds a file .habitus.Dockerfile, a name that Habitus needs for itself',
      hint: 'Rename it, or leave it out with a line in .dockerignore.',
    });
    await rm(join(folder.path, '.habitus.Dockerfile'));
    await plant(folder.path, ['.dockerignore/x']);
    await expect(packed()).rejects.toThrow('".dockerignore" of the context is not a file');
  });
});

describe('an existing Dockerfile', () => {
  it('is used as it is, and nothing is added', async () => {
    const name = Buffer.from('Dockerfile.é').toString('latin1');
    await plant(folder.path, [`sub/${name}=FROM x`, '.dockerignore=x']);
    const dockerfile: DockerfileSource = { type: 'existing', path: 'sub/Dockerfile.é' };
    expect(packContext(context(), dockerfile, NEVER).dockerfile).toBe('sub/Dockerfile.é');
    expect(await packed(dockerfile)).toEqual({ '.dockerignore': 'x', 'sub/': '', [`sub/${name}`]: 'FROM x' });
  });

  it('must be there', async () => {
    await expect(packed({ type: 'existing', path: 'Dockerfile' })).rejects.toMatchObject({
      message: 'The Dockerfile "Dockerfile" is not in the context',
      hint: 'Check that it exists and that .dockerignore does not leave it out.',
    });
  });
});

describe('a packed context that cannot be finished', () => {
  it.each(['small', 'large'])('fails when a %s file shrinks after it was listed', async (kind) => {
    await writeFile(join(folder.path, 'f'), Buffer.alloc(kind === 'small' ? 100 : 300_000));
    const real = context();
    const shrinking: BuildContext = {
      async *entries(signal) {
        for await (const entry of real.entries(signal)) {
          await truncate(join(folder.path, 'f'), 50);
          yield entry;
        }
      },
      open: (entry, signal) => real.open(entry, signal),
    };
    await expect(readAll(packContext(shrinking, generated, NEVER).body)).rejects.toThrow(
      '"f" of the context changed while it was being read',
    );
  });

  /** Content that never comes, and a promise for when it was given up. */
  function stuck(size: number) {
    const { entry } = member({ path: 'stuck' });
    const events = new EventEmitter();
    const opened = once(events, 'open').then(([signal]) => signal as AbortSignal);
    const source = new Readable({ read: () => undefined });
    const made: BuildContext = {
      async *entries(): AsyncGenerator<ContextEntry> {
        yield await Promise.resolve({ ...entry, size });
      },
      open: (_, signal) => {
        events.emit('open', signal);
        signal.addEventListener('abort', () => source.destroy(signal.reason as Error));
        return source;
      },
    };
    return { made, source, opened };
  }

  it.each([10, 1_000_000])(
    'ends with the reason of an abort and closes what it reads (%i bytes)',
    async (size) => {
      const { made, source, opened } = stuck(size);
      const stop = new AbortController();
      const result = readAll(packContext(made, generated, stop.signal).body);
      await opened;
      stop.abort(new Error('stopped by hand'));
      await expect(result).rejects.toThrow('stopped by hand');
      expect(source.destroyed).toBe(true);
    },
  );

  it.each([10, 1_000_000])('closes what it reads when nobody wants it any more (%i bytes)', async (size) => {
    const { made, source, opened } = stuck(size);
    const { body } = packContext(made, generated, NEVER);
    body.resume();
    const signal = await opened;
    const closed = new Promise((resolve) => body.once('close', resolve));
    body.destroy();
    await closed;
    expect(signal.aborted).toBe(true);
    expect(source.destroyed).toBe(true);
  });

  it('does not end the process when it is aborted before anybody reads it', async () => {
    const stop = new AbortController();
    const { body } = packContext(context(), generated, stop.signal);
    const closed = new Promise((resolve) => body.once('close', resolve));
    stop.abort(new Error('stopped by hand'));
    await closed;
    expect(body.errored?.message).toBe('stopped by hand');
  });
});
