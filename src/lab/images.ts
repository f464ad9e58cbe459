/** Sees to it that an engine of the lab has the base images: pulled, or made from Debian packages and imported. */

import { createReadStream } from 'node:fs';
import { BUSYBOX_IMAGE, DEBIAN_IMAGE, isMade, make, type Recipe } from './debian.js';
import { LabError } from './error.js';
import { call, type Endpoint } from './http.js';
import type { Home } from './layout.js';
import type { Say } from './say.js';

export interface BaseImage {
  readonly repository: string;
  readonly tag: string;
  readonly recipe: Recipe;
  /** What the published image sets, as Dockerfile instructions. */
  readonly changes: readonly string[];
}

const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const BASE_IMAGES: readonly BaseImage[] = [
  { repository: 'debian', tag: 'bookworm-slim', recipe: DEBIAN_IMAGE, changes: [PATH, 'CMD ["bash"]'] },
  { repository: 'busybox', tag: 'latest', recipe: BUSYBOX_IMAGE, changes: [PATH, 'CMD ["sh"]'] },
];

export const nameOf = (image: BaseImage): string => `${image.repository}:${image.tag}`;

/** A registry that has not begun to send within this time counts as out of reach. */
const FIRST_BYTE_MS = 10_000;
/** A pull that sends nothing for so long has failed. */
const SILENCE_MS = 30_000;

export async function missingImages(engine: Endpoint): Promise<readonly BaseImage[]> {
  const missing: BaseImage[] = [];
  for (const image of BASE_IMAGES) {
    const answer = await call(engine, { method: 'GET', path: `/images/${nameOf(image)}/json` });
    if (answer.status === 404) missing.push(image);
    else if (answer.status !== 200) throw refused(`look for ${nameOf(image)}`, answer.body);
  }
  return missing;
}

/** Gets the images into one of the lab's engines. The caller holds the lock. */
export async function provideImages(
  home: Home,
  engine: Endpoint,
  images: readonly BaseImage[],
  say: Say,
): Promise<void> {
  let registry: 'unknown' | 'silent' = 'unknown';
  for (const image of images) {
    // Images of one name with two contents would make the engines differ: what was made once is used by all.
    if (registry === 'unknown' && !(await isMade(home, image.recipe))) {
      const pulled = await pull(engine, image, say);
      if (pulled) continue;
      registry = 'silent';
    }
    const tar = await make(home, image.recipe, say);
    await importTar(engine, image, tar);
  }
}

/** False when the registry cannot be reached or refuses. */
export async function pull(engine: Endpoint, image: BaseImage, say: Say): Promise<boolean> {
  say.line(`pulling ${nameOf(image)}`);
  const stop = new AbortController();
  const abort = (): void => {
    stop.abort();
  };
  let timer = setTimeout(abort, FIRST_BYTE_MS);
  try {
    const answer = await call(engine, {
      method: 'POST',
      path: `/images/create?fromImage=${image.repository}&tag=${image.tag}`,
      signal: stop.signal,
      onText: () => {
        clearTimeout(timer);
        timer = setTimeout(abort, SILENCE_MS);
      },
    });
    if (answer.status === 200 && !/^\{"error/m.test(answer.body)) return true;
    say.line('  the registry cannot be reached');
    return false;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    say.line('  the registry does not answer');
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function importTar(engine: Endpoint, image: BaseImage, tar: string): Promise<void> {
  const query = new URLSearchParams({ fromSrc: '-', repo: image.repository, tag: image.tag });
  for (const change of image.changes) query.append('changes', change);
  const path = `/images/create?${query.toString()}`;
  const answer = await call(engine, { method: 'POST', path, body: createReadStream(tar) });
  if (answer.status !== 200 || answer.body.includes('"error"')) {
    throw refused(`import ${nameOf(image)}`, answer.body);
  }
}

const refused = (what: string, body: string): LabError =>
  new LabError(
    `the engine refuses to ${what}: ${body.trim()}`,
    'restart it: npm run engine -- down, then up',
  );
