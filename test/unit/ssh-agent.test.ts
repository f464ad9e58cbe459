/** What serves ssh mounts with private key files, as the real OpenSSH sees it; and what is said when keys or agents are wrong. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/core/errors.js';
import type { SshSpec } from '../../src/core/plan.js';
import { checkSsh, openAgent, sshSources } from '../../src/engine/ssh-sources.js';
import { SshFolder } from '../support/ssh-agents.js';
import { readAll } from '../support/tar.js';

let folder: SshFolder;
beforeAll(async () => {
  folder = await SshFolder.make();
});
afterAll(async () => {
  await folder.remove();
});

/** A socket behind which the agent of these key files answers. */
async function serve(name: string, sources: readonly string[]): Promise<{ socket: string; server: Server }> {
  const source = (await sshSources([{ id: name, sources }], {})).get(name);
  if (source === undefined) throw new Error('the id is gone');
  const socket = folder.at(`${name}.sock`);
  const server = createServer((client: Socket) => {
    const agent = openAgent(source);
    agent.on('error', () => client.destroy());
    client.pipe(agent).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return { socket, server };
}

describe('an agent of key files', () => {
  const TYPES: readonly (readonly [string, readonly string[]])[] = [
    ['ed25519', ['-t', 'ed25519']],
    ['rsa', ['-t', 'rsa', '-b', '2048']],
    ['rsa-pem', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']],
    ['rsa-pkcs8', ['-t', 'rsa', '-b', '2048', '-m', 'PKCS8']],
    ['ecdsa-256', ['-t', 'ecdsa', '-b', '256']],
    ['ecdsa-384', ['-t', 'ecdsa', '-b', '384']],
    ['ecdsa-521', ['-t', 'ecdsa', '-b', '521']],
    ['ecdsa-pem', ['-t', 'ecdsa', '-b', '256', '-m', 'PEM']],
    ['ecdsa-pkcs8', ['-t', 'ecdsa', '-b', '256', '-m', 'PKCS8']],
  ];

  it.each(TYPES)('lists and signs with a key of the type %s', async (name, options) => {
    const key = await folder.key(name, options);
    const { socket, server } = await serve(name, [key]);
    try {
      const listed = await folder.run('ssh-add', ['-L'], socket);
      const published = await readFile(`${key}.pub`, 'utf8');
      expect(listed.split(' ').slice(0, 2)).toEqual(published.split(' ').slice(0, 2));
      // Signs with the agent and checks the signature by the public key; of an RSA key with SHA-256.
      await folder.run('ssh-add', ['-T', `${key}.pub`], socket);
      // Signs with SHA-512, and repeatedly: one number in 256 begins with a zero byte, one in two with a high bit.
      await writeFile(folder.at(`${name}.allowed`), `test ${published}`);
      const data = Array.from({ length: 8 }, (_, index) => folder.at(`${name}-${index}`));
      await Promise.all(data.map((path) => writeFile(path, path)));
      const sign = ['-Y', 'sign', '-n', 'test', '-f', `${key}.pub`];
      await folder.run('ssh-keygen', [...sign, ...data], socket);
      for (const path of data) {
        await folder.run('sh', [
          '-c',
          `ssh-keygen -Y verify -f ${name}.allowed -I test -n test -s ${path}.sig < ${path}`,
        ]);
      }
    } finally {
      server.close();
    }
  });

  it('offers several keys with their comments, and takes or drops none', async () => {
    const keys = [
      await folder.key('first', ['-t', 'ed25519']),
      await folder.key('second', ['-t', 'ed25519']),
    ];
    const third = await folder.key('third', ['-t', 'ed25519']);
    const { socket, server } = await serve('several', keys);
    try {
      const listed = await folder.run('ssh-add', ['-l'], socket);
      expect(listed.match(/\w+@test/g)).toEqual(['first@test', 'second@test']);
      for (const refused of [[third], ['-d', `${keys[0] ?? ''}.pub`], ['-D'], ['-T', `${third}.pub`]]) {
        await expect(folder.run('ssh-add', refused, socket)).rejects.toThrow();
      }
      expect(await folder.run('ssh-add', ['-l'], socket)).toBe(listed);
    } finally {
      server.close();
    }
  });

  async function answerTo(...requests: readonly Buffer[]): Promise<string> {
    const key = await folder.key(`raw-${requests.length}-${requests[0]?.length ?? 0}`, ['-t', 'ed25519']);
    const agent = openAgent(
      (await sshSources([{ id: 'raw', sources: [key] }], {})).get('raw') ?? expect.fail(),
    );
    for (const request of requests) agent.write(request);
    agent.end();
    return (await readAll(agent)).toString('hex');
  }

  it('refuses broken requests and goes on with the next', async () => {
    const failure = '0000000105';
    const empty = Buffer.from('00000000', 'hex');
    const cutOff = Buffer.from('000000060d000000ff00', 'hex');
    const unknown = Buffer.from('00000001ff', 'hex');
    expect(await answerTo(empty, cutOff, unknown)).toBe(failure.repeat(3));
  });

  it('puts together what comes in pieces, and takes apart what comes at once', async () => {
    const failure = '0000000105';
    const requests = Buffer.from('00000001ff00000001ff', 'hex');
    expect(await answerTo(...Array.from(requests, (byte) => Buffer.of(byte)))).toBe(failure.repeat(2));
    expect(await answerTo(requests)).toBe(failure.repeat(2));
  });

  it('hangs up on a request that is longer than any should be', async () => {
    await expect(answerTo(Buffer.from('00040000', 'hex'))).rejects.toThrow('the request is too long');
  });
});

describe('checking ssh before a build', () => {
  async function problem(spec: SshSpec, env: Record<string, string> = {}) {
    const error: unknown = await checkSsh([spec], env).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UsageError);
    const { message, hint } = error as UsageError;
    return { message, hint };
  }

  it('reads a key once for each plan', async () => {
    const key = await folder.key('once', ['-t', 'ed25519']);
    const spec = { id: 'default', sources: [key] };
    await checkSsh([spec], {});
    await writeFile(key, 'changed');
    await checkSsh([spec], {});
    await expect(checkSsh([{ ...spec }], {})).rejects.toThrow(UsageError);
  });

  it('finds an agent by its socket and by SSH_AUTH_SOCK', async () => {
    const key = await folder.key('held', ['-t', 'ed25519']);
    await using agent = await folder.agent('real', [key]);
    await checkSsh([{ id: 'default', sources: [] }], { SSH_AUTH_SOCK: agent.socket });
    const sources = await sshSources([{ id: 'named', sources: [agent.socket] }], {});
    expect(sources).toEqual(new Map([['named', { kind: 'agent', socket: agent.socket }]]));
  });

  it('says that SSH_AUTH_SOCK is missing', async () => {
    expect(await problem({ id: 'default', sources: [] })).toEqual({
      message: 'ssh "default" needs an ssh agent, but SSH_AUTH_SOCK is not set',
      hint: 'Start one (`eval "$(ssh-agent)"`, then `ssh-add`), or name a private key file for this id.',
    });
  });

  it('says that no agent answers', async () => {
    const gone = folder.at('gone.sock');
    expect(await problem({ id: 'x', sources: [] }, { SSH_AUTH_SOCK: gone })).toEqual({
      message: `The ssh agent of ssh "x" does not answer at ${gone} (SSH_AUTH_SOCK)`,
      hint: 'Start an agent (`eval "$(ssh-agent)"`, then `ssh-add`), or name a private key file for this id.',
    });
  });

  it('says that a key file does not exist', async () => {
    const path = folder.at('absent');
    expect(await problem({ id: 'deploy', sources: [path] })).toEqual({
      message: `${path} of ssh "deploy" does not exist`,
      hint: 'Correct the path, or use the agent of SSH_AUTH_SOCK.',
    });
  });

  it.each([
    ['RFC4716', []],
    ['PEM', ['-m', 'PEM']],
    ['PKCS8', ['-m', 'PKCS8']],
  ])('says that a key is encrypted (%s)', async (format, options) => {
    const path = await folder.key(`locked-${format}`, ['-t', 'rsa', '-b', '2048', ...options], 'passphrase');
    expect(await problem({ id: 'deploy', sources: [path] })).toEqual({
      message: `The private key ${path} of ssh "deploy" is encrypted`,
      hint: `Load it into an agent with \`ssh-add ${path}\`, and let this id use the agent of SSH_AUTH_SOCK.`,
    });
  });

  it('says that a file is a public key', async () => {
    const path = `${await folder.key('public', ['-t', 'ed25519'])}.pub`;
    expect(await problem({ id: 'deploy', sources: [path] })).toEqual({
      message: `${path} of ssh "deploy" is a public key`,
      hint: 'Name the private key, the file without .pub.',
    });
  });

  it.each([
    ['nonsense', 'no key'],
    ['broken', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    [
      'ed25519 of OpenSSL',
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ],
  ])('says that a file cannot be read as a key: %s', async (name, content) => {
    const path = folder.at(name.replaceAll(' ', '-'));
    await writeFile(path, content);
    expect(await problem({ id: 'deploy', sources: [path] })).toEqual({
      message: `${path} of ssh "deploy" is no private key that can be read`,
      hint: 'Name a private key of OpenSSH, or load it with `ssh-add` and let this id use the agent of SSH_AUTH_SOCK.',
    });
  });

  it('says that a folder is no key', async () => {
    const path = folder.at('folder');
    await mkdir(path);
    expect(await problem({ id: 'deploy', sources: [path] })).toEqual({
      message: `${path} of ssh "deploy" is neither an agent's socket nor a private key`,
      hint: 'Name a private key file, e.g. ~/.ssh/id_ed25519, or the socket of an ssh agent.',
    });
  });

  it('says that an agent and keys do not go together', async () => {
    const key = await folder.key('together', ['-t', 'ed25519']);
    await using agent = await folder.agent('other', [key]);
    expect(await problem({ id: 'deploy', sources: [key, agent.socket] })).toEqual({
      message: `ssh "deploy" can use one agent or private keys, but names ${key} and ${agent.socket}`,
      hint: 'Give each agent an id of its own.',
    });
  });
});
