/** The calls by which images are cleaned and squashed, on real engines: what they give, and how they fail. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineError } from '../../src/core/errors.js';
import type { Engine, EngineContainer } from '../../src/core/ports.js';
import { connect } from '../../src/engine/connect.js';
import { listImages } from '../../src/image/spool.js';
import { engines } from '../support/engines.js';
import { archive, archiveItems } from '../support/image-archives.js';
import { tar } from '../support/image-tar.js';
import { NEVER, readAll, streamOf } from '../support/tar.js';

describe.each(engines())('on $name', ({ host }) => {
  let engine: Engine;
  const label = `habitus-port-${randomBytes(6).toString('hex')}`;
  const name = (tag: string): string => `habitus.invalid/${label}:${tag}`;

  beforeAll(async () => {
    engine = await connect({ host, env: {} }, NEVER);
  });

  afterAll(async () => {
    for (const { name: each } of await engine.listImageNames(`habitus.invalid/${label}`)) {
      await engine.removeImage(each, { force: true });
    }
    await engine.close();
  });

  async function working<T>(use: (container: EngineContainer) => Promise<T>): Promise<T> {
    const container = await engine.createContainer(
      {
        image: 'busybox:latest',
        entrypoint: ['/bin/sh'],
        command: ['-c', 'read -r _'],
        holdOpen: true,
        network: 'none',
        limits: {},
        labels: { [label]: '' },
      },
      NEVER,
    );
    try {
      await container.start(NEVER);
      return await use(container);
    } finally {
      await container.remove();
    }
  }

  async function failure(work: Promise<unknown>): Promise<EngineError> {
    const error = await work.then(
      () => 'it succeeded',
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(EngineError);
    return error as EngineError;
  }

  test('exec tells the lines of both streams, and the exit code, and takes another user', async () => {
    await working(async (container) => {
      const lines: string[] = [];
      const onLine = (stream: string, line: string): unknown => lines.push(`${stream}: ${line}`);
      const command = ['/bin/sh', '-c', 'id -u; echo bad >&2; printf unfinished; exit 9'];
      expect(await container.exec({ command, user: '12:34' }, onLine, NEVER)).toBe(9);
      expect(lines.sort()).toEqual(['stderr: bad', 'stdout: 12', 'stdout: unfinished']);
      expect(await container.exec({ command: ['true'] }, onLine, NEVER)).toBe(0);
    });
  });

  test('exec of a program that is not there fails, by its code or as an error', async () => {
    await working(async (container) => {
      const code = await container.exec({ command: ['/absent'] }, () => undefined, NEVER).catch(() => 127);
      expect([126, 127]).toContain(code);
    });
  });

  test('exec stops listening at an abort, with its reason', async () => {
    await working(async (container) => {
      const abort = new AbortController();
      const reason = new Error('enough');
      const waiting = container.exec(
        { command: ['/bin/sh', '-c', 'echo waiting; sleep 1000'] },
        () => {
          abort.abort(reason);
        },
        abort.signal,
      );
      await expect(waiting).rejects.toBe(reason);
    });
  });

  test('commit stops the container and makes an image of what it holds', async () => {
    await working(async (container) => {
      await container.exec({ command: ['touch', '/made'] }, () => undefined, NEVER);
      await container.commit(name('committed'), NEVER);
      const again = await failure(container.exec({ command: ['true'] }, () => undefined, NEVER));
      expect(again.message).toMatch(/not running/);
    });
    const [base, image] = [
      await engine.describeImage('busybox:latest'),
      await engine.describeImage(name('committed')),
    ];
    expect(image?.layers.slice(0, -1)).toEqual(base?.layers);
  });

  test('one archive holds all images that were asked for', async () => {
    await engine.tagImage('busybox:latest', name('one'));
    const saved = await engine.archives.saveImages(['debian:bookworm-slim', name('one')], NEVER);
    const images = await listImages(saved, NEVER);
    expect(images.flatMap(({ tags }) => tags).sort()).toEqual(['debian:bookworm-slim', name('one')].sort());
  });

  test('saving an absent image fails with status 404', async () => {
    const saving = engine.archives.saveImages([name('absent')], NEVER).then(readAll);
    expect((await failure(saving)).status).toBe(404);
  });

  test('a loaded image is there under its name', async () => {
    const layers = [tar([{ name: label, type: '0', body: Buffer.from(label) }])];
    await engine.archives.loadImages(streamOf(archive({ layers, tag: name('loaded') }, 'docker20')), NEVER);
    expect((await engine.describeImage(name('loaded')))?.layers).toHaveLength(1);
  });

  test('what is no image, and a layer that is not what its config says, are errors although the engine answers 200', async () => {
    const nonsense = engine.archives.loadImages(Readable.from([Buffer.alloc(4096, 7)]), NEVER);
    expect((await failure(nonsense)).message).toMatch(/^The engine could not load an image: /);
    const layers = [tar([{ name: `other-${label}`, type: '0', body: Buffer.from(label) }])];
    const items = archiveItems({ layers, tag: name('wrong') }, 'docker20').map((item) =>
      item.name.endsWith('/layer.tar') ? { ...item, body: tar([{ name: 'another', type: '0' }]) } : item,
    );
    const wrong = engine.archives.loadImages(streamOf(tar(items)), NEVER);
    expect((await failure(wrong)).message).toMatch(/^The engine could not load an image: /);
  });

  test('a load whose source breaks off fails with the reason of the source', async () => {
    const reason = new Error('the source broke');
    const source = Readable.from(
      (function* () {
        yield tar([{ name: 'manifest.json', type: '0', body: Buffer.from('[]') }]).subarray(0, 700);
        throw reason;
      })(),
      { objectMode: false },
    );
    await expect(engine.archives.loadImages(source, NEVER)).rejects.toBe(reason);
  });

  test('an image that cannot be fetched is an error that names it', async () => {
    const error = await failure(engine.archives.pullImage('127.0.0.1:1/nowhere/absent:1', NEVER));
    expect(error.message).toMatch(/^The engine could not pull 127\.0\.0\.1:1\/nowhere\/absent:1: .*refused/);
  });

  test('no cache is forgotten for an instruction that nobody ran', async () => {
    const removed = {
      instructions: [`RUN /bin/sh -c echo ${label} # buildkit`],
      dockerfile: Buffer.from(`FROM busybox\nRUN echo ${label}\n`),
      options: { buildArgs: {} },
      since: Date.now() + 60_000,
    };
    expect(await engine.archives.forgetBuildCache(removed, NEVER)).toEqual({ removed: 0, kept: 0 });
  });
});
