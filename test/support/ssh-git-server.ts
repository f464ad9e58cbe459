/** A real git server behind a real sshd, in a container of the engine under test; its image has git and ssh for RUN, too. */
import { randomBytes } from 'node:crypto';
import type { Engine, EngineContainer } from '../../src/core/ports.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';
import type { TestEngine } from './engines.js';
import { ask } from './real-engine.js';
import { NEVER } from './tar.js';

const DOCKERFILE = `FROM debian:bookworm-slim
RUN apt-get update -q && apt-get install -y -q --no-install-recommends openssh-server openssh-client git
`;

const SERVE = `set -e
mkdir -p /run/sshd /root/.ssh
printf '%s\\n' "$@" > /root/.ssh/authorized_keys
chmod -R go= /root/.ssh
git init -q -b main /tmp/work
cd /tmp/work
echo 'from the repository' > file.txt
git add file.txt
git -c user.name=test -c user.email=test@habitus.invalid commit -q -m one
git clone -q --bare . /srv/repo.git
exec /usr/sbin/sshd -D -e
`;

export interface GitServer extends AsyncDisposable {
  /** Has git and ssh. */
  readonly image: string;
  /** Clones the repository into /repo by ssh; for RUN. */
  readonly clone: string;
}

/** @param keys public keys that are let in, as lines of `authorized_keys` */
export async function gitServer(
  testEngine: TestEngine,
  engine: Engine,
  keys: readonly string[],
): Promise<GitServer> {
  const id = randomBytes(6).toString('hex');
  const image = `127.0.0.1:1/habitus-ssh/${id}:latest`;
  // From the second run on out of the builder's cache.
  await buildImage(engine, image);
  const container = await engine.createContainer(
    {
      image,
      entrypoint: ['/bin/sh', '-c', SERVE, 'serve'],
      command: keys,
      network: 'bridge',
      limits: {},
      labels: {},
    },
    NEVER,
  );
  const remove = async (): Promise<void> => {
    await container.remove();
    await engine.removeImage(image);
  };
  try {
    await container.start(NEVER);
    const host = await addressOf(testEngine, container);
    // A refused connection is tried once a second: the server may not listen yet.
    const ssh =
      'ssh -o BatchMode=yes -o ConnectionAttempts=60 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR';
    return {
      image,
      clone: `GIT_SSH_COMMAND="${ssh}" git clone -q ssh://root@${host}/srv/repo.git /repo`,
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function buildImage(engine: Engine, tag: string): Promise<void> {
  await engine.build(
    {
      builder: 'buildkit',
      context: memoryFolder(new Map()),
      contextKey: tag,
      dockerfile: Buffer.from(DOCKERFILE),
      tag,
      args: {},
      noCache: false,
      network: 'default',
      limits: {},
      removeContainers: true,
      secrets: new Map(),
      ssh: [],
    },
    () => undefined,
    NEVER,
  );
}

async function addressOf({ host }: TestEngine, { id }: EngineContainer): Promise<string> {
  const told: unknown = await ask(host, `/containers/${id}/json`);
  const { NetworkSettings: settings } = told as {
    readonly NetworkSettings: { readonly Networks: { readonly bridge?: { readonly IPAddress: string } } };
  };
  const address = settings.Networks.bridge?.IPAddress ?? '';
  if (address === '') throw new Error('the container of the git server has no address');
  return address;
}
