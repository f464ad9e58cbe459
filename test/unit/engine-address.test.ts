/** Which engine is meant: flags, environment and Docker contexts, in the order of the Docker command line. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAddress, resolveAddress } from '../../src/engine/address.js';
import { buildersOf, connect, olderOf } from '../../src/engine/connect.js';
import { sshArguments } from '../../src/engine/ssh.js';

describe('the address of the engine', () => {
  let config: string;
  beforeEach(() => {
    config = mkdtempSync(join(tmpdir(), 'habitus-config-'));
  });
  afterEach(() => {
    rmSync(config, { recursive: true });
  });

  function addContext(name: string, host: string): void {
    const folder = join(config, 'contexts', 'meta', createHash('sha256').update(name).digest('hex'));
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, 'meta.json'),
      JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }),
    );
  }

  const url = async (options: Partial<Parameters<typeof resolveAddress>[0]>): Promise<string> => {
    const env = { DOCKER_CONFIG: config, ...options.env };
    return (await resolveAddress({ ...options, env })).url;
  };

  it('is the default socket when nothing else is said', async () => {
    expect(await url({})).toBe('unix:///var/run/docker.sock');
  });

  it('comes from the flag, then DOCKER_HOST, then DOCKER_CONTEXT, then the current context', async () => {
    addContext('named', 'unix:///named.sock');
    addContext('current', 'unix:///current.sock');
    writeFileSync(join(config, 'config.json'), JSON.stringify({ currentContext: 'current' }));
    expect(await url({})).toBe('unix:///current.sock');
    expect(await url({ env: { DOCKER_CONTEXT: 'named' } })).toBe('unix:///named.sock');
    expect(await url({ env: { DOCKER_CONTEXT: 'default' } })).toBe('unix:///var/run/docker.sock');
    const env = { DOCKER_CONTEXT: 'named', DOCKER_HOST: 'unix:///env.sock' };
    expect(await url({ env })).toBe('unix:///env.sock');
    expect(await url({ env, host: 'unix:///flag.sock' })).toBe('unix:///flag.sock');
    expect(await url({ env, context: 'current' })).toBe('unix:///current.sock');
  });

  it('is refused when the context does not exist', async () => {
    await expect(url({ env: { DOCKER_CONTEXT: 'absent' } })).rejects.toMatchObject({
      message: 'The Docker context "absent" (from DOCKER_CONTEXT) does not exist',
      hint: 'See `docker context ls`, or name an engine with --host.',
    });
  });

  it('does not quote a broken config.json, which may hold passwords', async () => {
    writeFileSync(join(config, 'config.json'), '{"auths": "c2VjcmV0" oops');
    await expect(url({})).rejects.toMatchObject({
      message: `${join(config, 'config.json')} is not valid JSON`,
    });
  });

  it('brings TLS along for tcp when asked for, and says which file is missing', async () => {
    writeFileSync(join(config, 'ca.pem'), 'CA');
    writeFileSync(join(config, 'cert.pem'), 'CERT');
    const options = { host: 'tcp://h:2376', env: { DOCKER_CERT_PATH: config, DOCKER_TLS_VERIFY: '1' } };
    await expect(resolveAddress(options)).rejects.toMatchObject({
      message: `The TLS file ${join(config, 'key.pem')} cannot be read`,
    });
    writeFileSync(join(config, 'key.pem'), 'KEY');
    expect(await resolveAddress(options)).toMatchObject({ kind: 'tcp', port: 2376, tls: { verify: true } });
  });

  it.each([
    ['certificates of the environment alone', {}, { DOCKER_CERT_PATH: '/missing' }],
    ['what the flag denies', { tls: false }, { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/missing' }],
  ])('speaks no TLS for %s', async (_, options, env) => {
    const address = await resolveAddress({ host: 'tcp://h:2375', ...options, env });
    expect(address).toMatchObject({ kind: 'tcp', port: 2375 });
    expect(address).not.toHaveProperty('tls');
  });

  it('speaks it for a folder of certificates that a flag names', async () => {
    for (const name of ['ca.pem', 'cert.pem', 'key.pem']) writeFileSync(join(config, name), name);
    const address = await resolveAddress({ host: 'tcp://h', certs: config, env: {} });
    expect(address).toMatchObject({ port: 2376, tls: { verify: true } });
  });
});

describe('parsing an address', () => {
  it.each([
    ['host:2375', { kind: 'tcp', hostname: 'host', port: 2375 }],
    ['tcp://[::1]:99', { kind: 'tcp', hostname: '[::1]', port: 99 }],
    ['http://host:80', { kind: 'tcp', hostname: 'host', port: 80 }],
    ['unix:///a b.sock', { kind: 'socket', path: '/a b.sock' }],
    [
      'ssh://me@host:22/run/d.sock',
      { kind: 'ssh', target: { hostname: 'host', user: 'me', port: '22', remotePath: '/run/d.sock' } },
    ],
  ])('understands %s', (text, expected) => {
    expect(parseAddress(text, '--host')).toMatchObject(expected);
  });

  it('names the schemes it knows when it understands nothing', () => {
    expect(() => parseAddress('ftp://x', 'DOCKER_HOST')).toThrow(
      'The engine address ftp://x (from DOCKER_HOST) is not understood',
    );
  });

  it('lets no part of an ssh address become an option or a command', () => {
    const target = { hostname: '-oProxyCommand=x', user: 'me', remotePath: "/a'; reboot '" };
    expect(sshArguments(target).slice(-3)).toEqual([
      '--',
      '-oProxyCommand=x',
      `docker --host 'unix:///a'\\''; reboot '\\''' system dial-stdio`,
    ]);
  });
});

describe('connecting', () => {
  it('says that there is no socket, and what to do', async () => {
    const connecting = connect({ host: 'unix:///no/such.sock', env: {} }, new AbortController().signal);
    await expect(connecting).rejects.toMatchObject({
      name: 'EngineError',
      message: 'No Docker Engine answers at unix:///no/such.sock (--host): there is no such socket',
      hint: 'Is the engine running? Start it, or name another with --host or DOCKER_HOST.',
    });
  });

  it('rejects with the reason of the signal', async () => {
    const reason = new Error('enough');
    await expect(connect({ host: 'unix:///no.sock', env: {} }, AbortSignal.abort(reason))).rejects.toBe(
      reason,
    );
  });

  it('compares versions by number', () => {
    expect([olderOf('1.9', '1.41'), olderOf('1.51', '1.41'), olderOf('2.0', '1.41')]).toEqual([
      '1.9',
      '1.41',
      '1.41',
    ]);
  });

  it('prefers BuildKit unless the engine says otherwise', () => {
    expect(buildersOf(undefined, 'linux')).toEqual(['buildkit', 'classic']);
    expect(buildersOf('1', 'linux')).toEqual(['classic', 'buildkit']);
    expect(buildersOf('2', 'windows')).toEqual(['classic']);
  });
});
