/** An image that goes while a graphdriver's engine gives it a name: it fails, or says that it was given, and keeps it, though nobody sees it. */
import { describe, expect, test } from 'vitest';
import { ImageRemover } from '../../src/engine/image-remover.js';
import { holdImage, tagImage, takeName } from '../../src/engine/images.js';
import { Transport } from '../../src/engine/transport.js';
import { httpEngine } from '../support/http-engine.js';

const GONE = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
/** Word for word what 20.10 said when its images were removed and named at the same time. */
const MESSAGE = `failed to get digest ${GONE}: open /var/lib/docker/image/overlay2/imagedb/content/sha256/${'a'.repeat(64)}: no such file or directory`;

/** @param listed IDs of images, the youngest first */
async function engine(listed: readonly string[] = [OTHER]) {
  const calls: string[] = [];
  const { address } = await httpEngine((request, answer) => {
    const url = new URL(request.url ?? '', 'http://engine');
    const call = `${request.method ?? ''} ${url.pathname}`;
    if (call === 'GET /images/json') {
      answer.end(JSON.stringify(listed.map((Id) => ({ Id, ParentId: '', RepoTags: ['other:latest'] }))));
      return;
    }
    const [repository, tag] = [url.searchParams.get('repo'), url.searchParams.get('tag')];
    calls.push(repository === null ? call : `${call} ${repository}:${tag ?? ''}`);
    answer.statusCode = call === `POST /images/${GONE}/tag` ? 500 : 200;
    answer.end(JSON.stringify(answer.statusCode === 500 ? { message: MESSAGE } : []));
  });
  return { transport: new Transport(address), calls };
}

test('the name is taken from the engine, and the image counts as one that is not there', async () => {
  const { transport, calls } = await engine();
  await expect(tagImage(transport, GONE, 'app:1')).rejects.toMatchObject({
    status: 404,
    message: expect.stringContaining(MESSAGE) as string,
  });
  expect(calls).toEqual([
    `POST /images/${GONE}/tag app:1`,
    `POST /images/${OTHER}/tag app:1`,
    'DELETE /images/app:1',
  ]);
});

test('where the image that the name moves to is gone, too, it moves to the next', async () => {
  const { transport, calls } = await engine([OTHER, GONE]);
  await takeName(transport, 'app:1');
  expect(calls).toEqual([
    `POST /images/${GONE}/tag app:1`,
    `POST /images/${OTHER}/tag app:1`,
    'DELETE /images/app:1',
  ]);
});

test('who wanted to remove the image has nothing more to do', async () => {
  const { transport, calls } = await engine();
  const remover = new ImageRemover(transport, 'graphdriver');
  expect(await remover.removeNameless([GONE])).toEqual({ removed: [], failed: new Map() });
  expect(calls).toHaveLength(3);
});

describe('an image that goes right after it got a name', () => {
  /** Every name is given, and nothing has it. */
  async function forgetful() {
    const calls: string[] = [];
    const { address } = await httpEngine((request, answer) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://engine');
      if (request.method === 'GET') {
        const isAll = !searchParams.has('filters');
        answer.end(JSON.stringify(isAll ? [{ Id: OTHER, ParentId: '', RepoTags: ['other:latest'] }] : []));
        return;
      }
      const name = [searchParams.get('repo'), searchParams.get('tag')].filter(Boolean).join(':');
      calls.push(`${request.method ?? ''} ${pathname} ${name}`.trim());
      const isThere = pathname !== '/images/app:1' || calls.some((call) => call.includes(OTHER));
      answer.statusCode = isThere ? 200 : 404;
      answer.end(JSON.stringify(isThere ? [] : { message: 'No such image: app:1' }));
    });
    return { transport: new Transport(address), calls };
  }
  const TAKEN = [`POST /images/${OTHER}/tag app:1`, 'DELETE /images/app:1'];

  test('leaves no name behind where it was to be removed by it', async () => {
    const { transport, calls } = await forgetful();
    const remover = new ImageRemover(transport, 'graphdriver');
    const spareNames = new Map([[GONE, 'app:1']]);
    expect(await remover.removeNameless([GONE], { spareNames })).toEqual({ removed: [], failed: new Map() });
    expect(calls).toEqual([`POST /images/${GONE}/tag app:1`, 'DELETE /images/app:1', ...TAKEN]);
  });

  test('leaves no name behind where it was to be held by it', async () => {
    const { transport, calls } = await forgetful();
    expect(await holdImage(transport, 'graphdriver', GONE, 'app:1')).toBe(false);
    expect(calls).toEqual([...Array.from({ length: 2 }, () => `POST /images/${GONE}/tag app:1`), ...TAKEN]);
  });
});
