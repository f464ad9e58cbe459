/** What a session's marks look like. */
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newSessionId } from '../../src/core/marks.js';
import { formatOwner, thisProcess } from '../../src/core/owner.js';
import { Session } from '../../src/core/session.js';
import { EngineError } from '../../src/core/errors.js';
import type { Engine } from '../../src/core/ports.js';
import type { Artifact } from '../../src/tar/artifact.js';
import { FakeEngine } from '../support/fake-engine.js';

describe('a session ID', () => {
  it('is twelve characters that fit into image names', () => {
    expect(newSessionId()).toMatch(/^[0-9a-z]{12}$/);
  });

  it('sorts by the second in which it was made', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 33), fc.nat(2 ** 33), (a, b) => {
        fc.pre(a !== b);
        expect(newSessionId(a * 1000) < newSessionId(b * 1000)).toBe(a < b);
      }),
    );
  });

  it('differs between builds that begin in the same second', () => {
    expect(new Set(Array.from({ length: 100 }, () => newSessionId(0))).size).toBe(100);
  });
});

describe('the image names of a session', () => {
  const noEngine = {} as Engine;

  it('lie below a registry that never answers, one for each step', () => {
    const session = new Session(noEngine, ['Compile it', 'web'], { id: '1jzk6cq3v0ab' });
    const owner = formatOwner(thisProcess());
    expect(session.tagOf('Compile it')).toBe(`127.0.0.1:1/habitus/1jzk6cq3v0ab/1-compile-it:${owner}`);
    expect(session.tagOf('web')).toBe(`127.0.0.1:1/habitus/1jzk6cq3v0ab/2-web:${owner}`);
  });

  it('are valid and distinct for any labels', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 20 }),
        (labels) => {
          const session = new Session(noEngine, labels);
          const tags = labels.map((label) => session.tagOf(label));
          expect(new Set(tags).size).toBe(labels.length);
          for (const tag of tags)
            expect(tag).toMatch(
              /^127\.0\.0\.1:1\/habitus\/[0-9a-z]{12}\/[0-9a-z]+(-[0-9a-z]+)*:o1\.[0-9a-f.]+$/,
            );
        },
      ),
    );
  });
});

describe('a session that begins again', () => {
  it('frees the artifacts that it was given before', async () => {
    const session = new Session(new FakeEngine(), ['app', 'web']);
    let freed = 0;
    const free = (): Promise<void> => {
      freed += 1;
      return Promise.resolve();
    };
    const artifact: Artifact = {
      source: { source: '/app', destination: '' },
      entries: [],
      open: () => Readable.from([]),
      [Symbol.asyncDispose]: free,
    };
    for (const label of ['app', 'app', 'web']) session.handOff(label, artifact);
    await session.beginAgain([]);
    expect(freed).toBe(3);
    expect([...session.artifactsOf('app'), ...session.artifactsOf('web')]).toEqual([]);
  });
});

describe('the end of a session', () => {
  const removal = { force: false, noPrune: false };
  const prepare = async () => {
    const engine = new FakeEngine();
    const session = new Session(engine, ['app']);
    const tag = session.tagOf('app');
    await engine.tagImage('busybox:latest', tag);
    return { engine, session, tag };
  };

  it('leaves no name and says nothing', async () => {
    const { engine, session } = await prepare();
    expect(await session.dispose(removal)).toEqual([]);
    expect(await engine.listImageNames('127.0.0.1:1/habitus/')).toEqual([]);
  });

  it('asks the engine for no more names than may be left', async () => {
    const engine = new FakeEngine();
    const session = new Session(engine, ['app', 'web', 'unused']);
    const [app, web] = [session.tagOf('app'), session.tagOf('web')];
    for (const tag of [app, web]) await engine.tagImage('busybox:latest', tag);
    const asked: (readonly string[])[] = [];
    const find = engine.findNames.bind(engine);
    engine.findNames = (names) => {
      asked.push(names);
      return find(names);
    };
    engine.listImageNames = () => Promise.reject(new Error('a list of all images'));
    await engine.removeImage(web);
    session.nameRemoved(web);
    expect(await session.dispose(removal)).toEqual([]);
    expect(asked).toEqual([[app]]);
    expect(await engine.findNames([app, web])).toEqual(new Map());
  });

  it('asks for no names where none is left', async () => {
    const { engine, session, tag } = await prepare();
    await engine.removeImage(tag);
    session.nameRemoved(tag);
    engine.findNames = () => Promise.reject(new Error('asked'));
    expect(await session.dispose(removal)).toEqual([]);
  });

  it('removes what was made last first, one after the other, where nothing is pruned', async () => {
    const { engine, session, tag } = await prepare();
    const cleaned = session.cleanedTagOf('app');
    await engine.tagImage('busybox:latest', cleaned);
    const calls: string[] = [];
    engine.removeImage = async (name) => {
      calls.push(`begin ${name}`);
      await turn();
      return calls.push(`end ${name}`) > 0;
    };
    expect(await session.dispose({ force: false, noPrune: true })).toEqual([]);
    expect(calls).toEqual([`begin ${cleaned}`, `end ${cleaned}`, `begin ${tag}`, `end ${tag}`]);
  });

  it('finds what a step was called before its squash', async () => {
    const { engine, session } = await prepare();
    await engine.tagImage('busybox:latest', session.cleanedTagOf('app'));
    await engine.tagImage('busybox:latest', session.cleanedTagOf('app', 1));
    expect(await session.dispose(removal)).toEqual([]);
    expect(await engine.listImageNames('127.0.0.1:1/habitus/')).toEqual([]);
  });

  it('tells of an image that a container keeps in use', async () => {
    const { engine, session, tag } = await prepare();
    engine.removeImage = () => Promise.resolve(false);
    expect(await session.dispose(removal)).toEqual([`image ${tag} is left: a container uses it`]);
  });

  it('tells once of an image that cannot be removed', async () => {
    const { engine, session, tag } = await prepare();
    engine.removeImage = () => Promise.reject(new EngineError('the disk is read-only'));
    expect(await session.dispose(removal)).toEqual([`image ${tag} is left: the disk is read-only`]);
  });
});
