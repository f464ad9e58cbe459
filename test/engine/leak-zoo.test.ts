/** Leaks that a real engine makes of real instructions, proven from what it saves. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/core/ports.js';
import { connect } from '../../src/engine/connect.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';
import { needlesOf } from '../../src/secrets/encodings.js';
import { Matcher } from '../../src/secrets/matcher.js';
import { proveImage, type ImageProof } from '../../src/secrets/prove-image.js';
import { someSubjects } from '../support/build-project.js';
import { NEVER } from '../support/tar.js';

const SECRET = randomBytes(15).toString('hex');
const matcher = new Matcher(needlesOf([{ name: 'token', value: Buffer.from(SECRET) }]).needles);

/** The lines after FROM, and where the proof finds the secret: kind, encoding, and what tells the place. */
const LEAKS: Readonly<
  Record<string, { readonly lines: readonly string[]; readonly found: readonly RegExp[] }>
> = {
  copied: {
    lines: ['COPY token /root/token'],
    found: [/^layer plain root\/token by .*COPY.*\/root\/token/],
  },
  deleted: {
    lines: ['COPY token /root/token', 'RUN rm /root/token'],
    found: [/^layer plain root\/token by .*COPY/],
  },
  packed: {
    lines: ['COPY token /tmp/', 'RUN tar -czf /var/all.tgz -C /tmp token && rm /tmp/token'],
    found: [/^layer plain tmp\/token by .*COPY/, /^layer plain var\/all\.tgz > token by .*tar -czf/],
  },
  env: {
    lines: [`ENV NPM_TOKEN=${SECRET}`],
    found: [/^env plain NPM_TOKEN$/, /^history plain .*ENV NPM_TOKEN=\*\*\*/],
  },
  arg: {
    lines: ['ARG TOKEN', 'RUN true'],
    // Newer engines tell it of ARG, too.
    found: [/^history plain .*TOKEN=\*\*\* .*true/, /^history plain .*TOKEN=\*\*\*/],
  },
  base64: {
    lines: [`LABEL auth=${Buffer.from(`me:${SECRET}`).toString('base64')}`],
    found: [/^history base64 .*LABEL auth=/, /^label base64 auth$/],
  },
};

function told({ findings }: ImageProof): string[] {
  const lines = findings.map(({ encoding, place }) => {
    switch (place.kind) {
      case 'layer':
        return `layer ${encoding} ${place.path.join(' > ')} by ${place.instruction ?? ''}`;
      case 'env':
        return `env ${encoding} ${place.variable}`;
      case 'label':
        return `label ${encoding} ${place.label}`;
      case 'history':
        return `history ${encoding} ${place.instruction}`;
      case 'config':
        return `config ${encoding} ${place.key}`;
      case 'name':
        return `name ${encoding} ${place.name}`;
      case 'document':
        return `document ${encoding} ${place.path}`;
    }
  });
  return lines.sort();
}

describe.each(someSubjects('e28c'))('on $name', ({ engine: { host }, builder }) => {
  const repository = `habitus.invalid/leak-${randomBytes(6).toString('hex')}`;
  let engine: Engine;
  let baseLayers = 0;

  beforeAll(async () => {
    engine = await connect({ host, env: {} }, NEVER);
    baseLayers = (await engine.describeImage('busybox:latest'))?.layers.length ?? 0;
  });

  afterAll(async () => {
    for (const { name } of await engine.listImageNames(repository))
      await engine.removeImage(name, { force: true });
    await engine.close();
  });

  async function proven(name: string, lines: readonly string[]): Promise<ImageProof> {
    const tag = `${repository}:${name}`;
    const dockerfile = ['FROM busybox:latest', ...lines, ''].join('\n');
    await engine.build(
      {
        builder,
        context: memoryFolder(new Map([['token', Buffer.from(`${SECRET}\n`)]])),
        contextKey: repository,
        dockerfile: Buffer.from(dockerfile),
        tag,
        args: name === 'arg' ? { TOKEN: SECRET } : {},
        noCache: false,
        network: 'none',
        limits: {},
        removeContainers: true,
        secrets: new Map(),
        ssh: [],
      },
      () => undefined,
      NEVER,
    );
    const diffIds = (await engine.describeImage(tag))?.layers ?? [];
    const saved = await engine.archives.saveImages([tag], NEVER);
    return proveImage(saved, { diffIds, baseLayers, names: [tag] }, matcher, NEVER);
  }

  test.each(Object.entries(LEAKS))(
    '%s: the secret is found where it is, and nowhere else',
    async (name, leak) => {
      const proof = await proven(name, leak.lines);
      const lines = told(proof);
      for (const pattern of leak.found) expect(lines).toContainEqual(expect.stringMatching(pattern));
      for (const line of lines) expect(leak.found.filter((pattern) => pattern.test(line))).not.toEqual([]);
      expect(JSON.stringify(proof)).not.toContain(SECRET);
      expect(proof.limits).toEqual([]);
    },
  );

  test('an image without it is proven, with the digests of all its layers', async () => {
    const proof = await proven('harmless', ['RUN echo harmless > /file']);
    expect(proof.findings).toEqual([]);
    expect(proof.layers).toHaveLength(1);
    expect(proof.bytes).toBeGreaterThan(1024);
  });
});
