/** `RUN --mount=type=secret` over our own session: what RUN sees, what stays, and what a changed secret rebuilds. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/core/ports.js';
import { digestSecretMounts } from '../../src/dockerfile/mounts.js';
import { redirect } from '../../src/dockerfile/rewrite.js';
import { engines } from '../support/engines.js';
import { Images } from '../support/images.js';
import { MountScene } from '../support/mount-scene.js';
import { ask, realEngine } from '../support/real-engine.js';

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

describe.each(engines())('secret mounts on $name', (testEngine) => {
  let engine: Engine;
  const images = new Images(testEngine);

  beforeAll(async () => {
    ({ engine } = await realEngine(testEngine));
  });
  afterAll(async () => {
    await engine.close();
  });

  it.each([
    ['a line', Buffer.from('one\n')],
    ['nothing', Buffer.alloc(0)],
    ['400 kB of any bytes', randomBytes(400_000)],
  ])('give RUN a file of %s, which the image does not keep', async (_, content) => {
    const scene = new MountScene(engine);
    const run = `RUN --mount=type=secret,id=key,required sha256sum /run/secrets/key && echo ${scene.id}`;
    const secrets = new Map([['key', content]]);
    const { lines } = await scene.build(['FROM busybox:latest', run], { secrets }, async (tag) => {
      expect([...(await images.files(tag, '/run')).keys()].filter((path) => path.includes('key'))).toEqual(
        [],
      );
    });
    expect(lines[0]).toBe(`${sha256(content)}  /run/secrets/key`);
  });

  it('give each mount its own, at the place it names', async () => {
    const scene = new MountScene(engine);
    const mounts = [
      '--mount=type=secret,id=one,target=/etc/one,mode=0444,uid=7',
      '--mount=type=secret,target=/root/two',
      '--mount=type=secret,id=three',
    ];
    const run = `RUN ${mounts.join(' ')} cat /etc/one /root/two && stat -c %u:%a /etc/one && test ! -e /run/secrets/three && echo ${scene.id}`;
    const secrets = new Map([
      ['one', Buffer.from('1\n')],
      ['two', Buffer.from('2\n')],
    ]);
    const { lines } = await scene.build(['FROM busybox:latest', run], { secrets });
    expect(lines).toEqual(['1', '2', '7:444', scene.id]);
  });

  it('give RUN a variable on Docker 28, which 20.10 does not know', async () => {
    const scene = new MountScene(engine);
    const run = `RUN --mount=type=secret,id=key,env=KEY echo "$KEY" ${scene.id}`;
    const secrets = new Map([['key', Buffer.from('value')]]);
    if ((await images.majorVersion()) < 28) {
      const { message } = await scene.failure(['FROM busybox:latest', run], { secrets });
      expect(message).toBe("dockerfile parse error line 2: unexpected key 'env' in 'env=KEY'");
    } else {
      const { lines } = await scene.build(['FROM busybox:latest', run], { secrets });
      expect(lines).toEqual([`value ${scene.id}`]);
    }
  });

  it.each([
    ['none', new Map<string, Buffer>()],
    ['another', new Map([['other', Buffer.from('x')]])],
  ])('that are required fail where the step has %s', async (_, secrets) => {
    const scene = new MountScene(engine);
    const run = `RUN --mount=type=secret,id=key,required echo ${scene.id}`;
    const { message, hint } = await scene.failure(['FROM busybox:latest', run], { secrets });
    expect(message.replace('key not found:', 'key:')).toBe(`${run} failed: secret key: not found`);
    expect(hint).toBe(
      'Name the secret under `secrets` of this step in the build file, as the `id` of the mount calls it.',
    );
  });

  describe('whose value changes', () => {
    const text = (scene: MountScene): string =>
      `RUN --mount=type=secret,id=key \\\n  cat /run/secrets/key && echo ${scene.id}`;

    it('leave RUN in the cache under the same id', async () => {
      const scene = new MountScene(engine);
      const dockerfile = ['FROM busybox:latest', text(scene)];
      const before = await scene.build(dockerfile, { secrets: new Map([['key', Buffer.from('old\n')]]) });
      const after = await scene.build(dockerfile, { secrets: new Map([['key', Buffer.from('new\n')]]) });
      expect(before).toMatchObject({ cached: false, lines: ['old', scene.id] });
      expect(after).toEqual({ cached: true, lines: [], imageId: before.imageId });
    });

    it('run it again with the digest in the id, at the old place and without a trace in the image', async () => {
      const scene = new MountScene(engine);
      const written = Buffer.from(`FROM busybox:latest\n${text(scene)}\n`);
      const build = async (value: string, look?: (digest: string) => Promise<void>) => {
        const content = Buffer.from(value);
        const digest = sha256(Buffer.from(`${value} ${scene.id}`));
        const { replacements, ids } = digestSecretMounts(written, new Map([['key', digest]]));
        const secrets = new Map(Array.from(ids.keys(), (id) => [id, content]));
        return scene.build(
          redirect(written, replacements),
          { secrets },
          () => look?.(digest) ?? Promise.resolve(),
        );
      };
      const first = await build('old\n', async (digest) => {
        const history = await ask(testEngine.host, `/images/${scene.tag}/history`);
        const whole = JSON.stringify([history, await images.inspect(scene.tag)]);
        expect(whole).toContain(scene.id);
        expect(whole).not.toContain(digest);
      });
      expect(first).toMatchObject({ cached: false, lines: ['old', scene.id] });
      expect(await build('new\n')).toMatchObject({ cached: false, lines: ['new', scene.id] });
      expect(await build('old\n')).toEqual({ cached: true, lines: [], imageId: first.imageId });
    });

    it('run it again also where a variable names it, which 20.10 does not know', async () => {
      const scene = new MountScene(engine);
      const run = `RUN --mount=type=secret,id=$NAME,required cat /run/secrets/key && echo ${scene.id}`;
      const written = Buffer.from(`FROM busybox:latest\nARG NAME=key\n${run}\n`);
      const build = (value: string) => {
        const { replacements, ids } = digestSecretMounts(
          written,
          new Map([['key', sha256(Buffer.from(value))]]),
        );
        const secrets = new Map(Array.from(ids.keys(), (id) => [id, Buffer.from(value)]));
        return scene.build(redirect(written, replacements), { secrets });
      };
      if ((await images.majorVersion()) < 28) {
        await expect(build('old\n')).rejects.toThrow(
          / failed: secret \$NAME\.[0-9a-f]{64} not found: not found$/,
        );
        return;
      }
      expect(await build('old\n')).toMatchObject({ cached: false, lines: ['old', scene.id] });
      expect(await build('old\n')).toMatchObject({ cached: true });
      expect(await build('new\n')).toMatchObject({ cached: false, lines: ['new', scene.id] });
    });
  });
});
