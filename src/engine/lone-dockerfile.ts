/** Dockerfiles that BuildKit builds without asking us for anything. */
import { monotonic } from '../clock.js';
import type { BuildRequest, EngineInfo, ImageDescription } from '../core/ports.js';
import { unlessAborted } from '../core/unless-aborted.js';
import { frontendOf } from '../dockerfile/frontend.js';
import { findImageReferences } from '../dockerfile/references.js';
import { usesContext } from '../dockerfile/uses-context.js';
import { describeImage } from './images.js';
import type { Transport } from './transport.js';

/**
 * Whether a build needs no session: no file of the context, no secret, no key, and no credentials for a registry, since the engine
 * has every image. A session costs the engine and us more than all else that is said of a small build.
 *
 * Only a graphdriver's engine takes the images that it has; that of the containerd store asks their registries first.
 * @throws the signal's reason
 */
export async function standsAlone(
  { dockerfile, args, target, secrets, ssh }: BuildRequest,
  store: EngineInfo['store'],
  looks: RecentLooks,
  signal: AbortSignal,
): Promise<boolean> {
  if (store !== 'graphdriver' || secrets.size > 0 || ssh.length > 0) return false;
  if (usesContext(dockerfile) || frontendOf(dockerfile, args) !== undefined) return false;
  const options = { buildArgs: args, ...(target !== undefined && { target }) };
  const names = new Set(findImageReferences(dockerfile, options).map(({ image }) => image));
  const looked = Promise.all(Array.from(names, (name) => looks.at(name)));
  const images = await unlessAborted(
    // Whatever is wrong, the build with a session tells it.
    looked.catch(() => [undefined]),
    signal,
  );
  // Triggers may copy from the context.
  return images.every((image) => image?.onBuild.length === 0);
}

/** Many builds begin within a second, on one base: it is looked at once for all of them. */
export class RecentLooks {
  readonly #transport: Transport;
  readonly #looks = new Map<
    string,
    { readonly at: number; readonly image: Promise<ImageDescription | undefined> }
  >();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws EngineError */
  at(reference: string): Promise<ImageDescription | undefined> {
    const now = monotonic();
    const recent = this.#looks.get(reference);
    if (recent !== undefined && now - recent.at < RECENT_MS) return recent.image;
    const image = describeImage(this.#transport, reference);
    this.#looks.set(reference, { at: now, image });
    return image;
  }
}

const RECENT_MS = 1000;
