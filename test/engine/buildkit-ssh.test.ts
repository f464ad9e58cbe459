/** `RUN --mount=type=ssh` over our own session: git clones by ssh from a real server, with a real agent and with key files. */
import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/core/errors.js';
import type { Engine } from '../../src/core/ports.js';
import { connect } from '../../src/engine/connect.js';
import { engines } from '../support/engines.js';
import { Images } from '../support/images.js';
import { MountScene } from '../support/mount-scene.js';
import { SshFolder } from '../support/ssh-agents.js';
import { gitServer, type GitServer } from '../support/ssh-git-server.js';

/** Key files of each kind that OpenSSH takes. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  ed25519: ['-t', 'ed25519'],
  rsa: ['-t', 'rsa', '-b', '2048'],
  ecdsa: ['-t', 'ecdsa', '-b', '521'],
};

describe.each(engines())('ssh mounts on $name', (testEngine) => {
  let folder: SshFolder;
  let agent: { readonly socket: string };
  let engine: Engine;
  let server: GitServer;
  const images = new Images(testEngine);
  /** What takes things away again, in the order in which they were made. */
  const ends: (() => PromiseLike<void>)[] = [];

  beforeAll(async () => {
    folder = await SshFolder.make();
    ends.push(() => folder.remove());
    const held = await folder.key('held', ['-t', 'ed25519']);
    const made = await folder.agent('agent.sock', [held]);
    ends.push(() => made[Symbol.asyncDispose]());
    agent = made;
    const files = await Promise.all(Object.entries(KEYS).map(([name, options]) => folder.key(name, options)));
    const keys = await Promise.all([held, ...files].map((path) => readFile(`${path}.pub`, 'utf8')));
    const env = { SSH_AUTH_SOCK: agent.socket };
    engine = await connect({ host: testEngine.host, env }, AbortSignal.timeout(20_000));
    ends.push(() => engine.close());
    server = await gitServer(
      testEngine,
      engine,
      keys.map((key) => key.trim()),
    );
    ends.push(() => server[Symbol.asyncDispose]());
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** A Dockerfile whose last RUN mounts so. */
  function dockerfile(scene: MountScene, options: string, command: string): readonly string[] {
    return [`FROM ${server.image}`, `RUN --mount=type=ssh${options} ${command} && echo ${scene.id}`];
  }

  const network = 'default';

  it('let git clone with the agent of SSH_AUTH_SOCK, and leave nothing of it in the image', async () => {
    const scene = new MountScene(engine);
    const ssh = [{ id: 'default', sources: [] }];
    await scene.build(dockerfile(scene, '', server.clone), { ssh, network }, async (tag) => {
      expect(await images.text(tag, '/repo/file.txt')).toBe('from the repository\n');
      // 20.10 leaves an empty folder.
      const run = [...(await images.files(tag, '/run')).keys()];
      expect(run.filter((path) => path.includes('agent'))).toEqual([]);
    });
  });

  it('let git clone with a key file of each type, by ids of their own beside an agent', async () => {
    const scene = new MountScene(engine);
    const names = Object.keys(KEYS);
    const ssh = [
      ...names.map((name) => ({ id: name, sources: [folder.at(name)] })),
      { id: 'held', sources: [agent.socket] },
    ];
    const runs = [...names, 'held'].map(
      (id) =>
        `RUN --mount=type=ssh,id=${id},required ssh-add -l && ${server.clone} && rm -r /repo # ${scene.id}`,
    );
    const { lines } = await scene.build([`FROM ${server.image}`, ...runs], { ssh, network });
    expect(lines.map((line) => line.split(' ').slice(2).join(' '))).toEqual([
      'ed25519@test (ED25519)',
      'rsa@test (RSA)',
      'ecdsa@test (ECDSA)',
      'held@test (ED25519)',
    ]);
  });

  it('cannot make an agent of key files take or drop keys', async () => {
    const scene = new MountScene(engine);
    const ssh = [{ id: 'default', sources: [folder.at('ed25519')] }];
    const command = [
      'ssh-keygen -q -t ed25519 -N "" -f /own',
      '! ssh-add -q /own 2>&1',
      '! ssh-add -D 2>&1',
      '! ssh-add -x 2>&1 < /dev/null',
      'ssh-add -l',
    ].join(' && ');
    const { lines } = await scene.build(dockerfile(scene, ',required', command), { ssh });
    expect(lines.at(-2)).toMatch(/ ed25519@test \(ED25519\)$/);
  });

  it('carry what is said at the same time over connections of their own', async () => {
    const scene = new MountScene(engine);
    const ssh = [{ id: 'default', sources: [folder.at('rsa')] }];
    const command = 'ssh-add -L > /key.pub && seq 20 | xargs -P 10 -I N ssh-add -T /key.pub && echo all';
    const { lines } = await scene.build(dockerfile(scene, '', command), { ssh });
    expect(lines).toEqual(['all', scene.id]);
  });

  it('that are required fail where the step has no such id', async () => {
    const scene = new MountScene(engine);
    const run = `RUN --mount=type=ssh,id=deploy,required echo ${scene.id}`;
    const hint =
      'Name the key or agent under `ssh` of this step in the build file, as the `id` of the mount calls it.';
    expect(await scene.failure(['FROM busybox:latest', run])).toEqual({
      message: `${run} failed: no SSH key "deploy" forwarded from the client`,
      hint,
    });
    const ssh = [{ id: 'default', sources: [] }];
    const { message, hint: also } = await scene.failure(['FROM busybox:latest', run], { ssh });
    expect(message).toMatch(/ failed: .*this step has no ssh "deploy"$/);
    expect(also).toBe(hint);
  });

  it('fail before anything runs where there is no such key', async () => {
    const scene = new MountScene(engine);
    const absent = folder.at('absent');
    const ssh = [{ id: 'deploy', sources: [absent] }];
    const building = scene.build(['FROM busybox:latest'], { ssh });
    await expect(building).rejects.toThrow(UsageError);
    await expect(building).rejects.toThrow(`${absent} of ssh "deploy" does not exist`);
  });

  it('let go of the agent when the build is stopped, though it has not answered', async () => {
    const scene = new MountScene(engine);
    const abort = new AbortController();
    const reason = new Error('enough');
    const silent = createServer();
    const asked = new Promise<Socket>((resolve) => {
      silent.on('connection', (client) =>
        client.once('data', () => {
          resolve(client);
        }),
      );
    });
    await new Promise<void>((resolve) => silent.listen(folder.at('silent.sock'), resolve));
    const ssh = [{ id: 'default', sources: [folder.at('silent.sock')] }];
    const building = scene.build(dockerfile(scene, '', 'ssh-add -l'), { ssh }, undefined, abort.signal);
    const client = await Promise.race([asked, building.then(() => expect.fail('it was built'))]);
    const closed = new Promise((resolve) => client.once('close', resolve));
    abort.abort(reason);
    await expect(building).rejects.toBe(reason);
    await closed;
    silent.close();
  });
});
