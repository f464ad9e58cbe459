/** The secrets service over real connections: while a step is served, as its Dockerfile asks, and no longer. */
import { request, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StepError } from '../../src/core/errors.js';
import type { PlannedStep } from '../../src/core/plan.js';
import type { Secret, SecretService, ServedSecrets } from '../../src/core/secrets.js';
import type { ServiceMemory, ServiceRecord } from '../../src/secrets/memory.js';
import { createSecretService, needsService, type SecretServiceOptions } from '../../src/secrets/service.js';

const ADDRESS = '127.0.0.1';
const ALL_ARGS = 'ARG habitus_host\nARG habitus_port\nARG habitus_user\nARG habitus_password\n';

const told: string[] = [];
const announced: string[] = [];
const records = new Map<string, ServiceRecord>();
const memory: ServiceMemory = {
  recall: (label) => Promise.resolve(records.get(label)),
  remember: (label, record) => {
    records.set(label, record);
    return Promise.resolve();
  },
};
const owned: AsyncDisposable[] = [];

beforeEach(() => {
  told.length = 0;
  announced.length = 0;
  records.clear();
});
afterEach(async () => {
  for (const one of owned.splice(0)) await one[Symbol.asyncDispose]();
});

function service(options: Partial<SecretServiceOptions> = {}): SecretService {
  const made = createSecretService({
    address: ADDRESS,
    serves: 'declared',
    version: '2.0.0',
    memory,
    onRefused: (message) => told.push(message),
    onCredentials: (values) => announced.push(...values),
    ...options,
  });
  owned.push(made);
  return made;
}

function stepOf(label: string, dockerfile: string, more: Partial<PlannedStep> = {}): PlannedStep {
  return {
    label,
    imageName: `${label}:latest`,
    dependsOn: [],
    context: '/',
    dockerfile: { path: '/Dockerfile', content: Buffer.from(`FROM scratch\n${dockerfile}`), references: [] },
    args: {},
    noCache: false,
    artifacts: [],
    base: { kind: 'scratch' },
    secrets: [{ name: 'key', type: 'file', value: '/key' }],
    ssh: [],
    commandCache: false,
    keep: true,
    ...more,
  };
}

function secretOf(value: string): Secret {
  return { name: 'key', type: 'file', value: Buffer.from(value), digest: `digest of ${value}` };
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** As RUN would ask, by the args it is given. */
async function ask(
  args: Readonly<Record<string, string>>,
  path = '/v1/secrets/file/key',
  method = 'GET',
): Promise<Reply> {
  const { habitus_host: host = '', habitus_port: port = '8080' } = args;
  const url = new URL(`http://${host}:${port}${path}`);
  const [user = url.username, password = url.password] = [args['habitus_user'], args['habitus_password']];
  const asked = request({
    host: url.hostname,
    port: url.port === '' ? 80 : url.port,
    path,
    method,
    ...(user !== '' && { auth: `${decodeURIComponent(user)}:${decodeURIComponent(password)}` }),
  });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    body: Buffer.concat(chunks).toString(),
    headers: response.headers,
  };
}

async function takenPort(): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, ADDRESS);
  await once(server, 'listening');
  owned.push({
    [Symbol.asyncDispose]: async () => {
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  });
  return { port: (server.address() as AddressInfo).port, server };
}

async function freePort(): Promise<number> {
  const { port, server } = await takenPort();
  server.close();
  await once(server, 'close');
  return port;
}

async function refusal(promise: Promise<unknown>): Promise<StepError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StepError)) throw new Error(`not a StepError: ${String(error)}`);
  return error;
}

describe('a step', () => {
  it('gets its secret by the args that its Dockerfile declares, until it is built', async () => {
    const served = await service().serve(stepOf('app', ALL_ARGS), [secretOf('value')], true);
    expect(Object.keys(served.args).sort()).toEqual([
      'habitus_host',
      'habitus_password',
      'habitus_port',
      'habitus_user',
    ]);
    expect(served.args['habitus_host']).toBe(ADDRESS);
    const { status, body, headers } = await ask(served.args);
    expect([status, body]).toEqual([200, 'value']);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'text/plain',
      connection: 'close',
    });
    const head = await ask(served.args, undefined, 'HEAD');
    expect([head.status, head.body, head.headers['content-length']]).toEqual([200, '', '5']);
    await served[Symbol.asyncDispose]();
    await expect(ask(served.args)).rejects.toThrow('ECONNREFUSED');
  });

  it('of a Dockerfile of the original, which knows only the host, gets it by the address', async () => {
    const port = await freePort();
    const served = await service({ port }).serve(stepOf('app', 'ARG host\n'), [secretOf('value')], true);
    expect(Object.keys(served.args)).toEqual(['host']);
    expect(served.args['host']).toMatch(/^[0-9a-f]{8}:[0-9a-f]{32}@127\.0\.0\.1$/);
    const { body } = await ask({ habitus_host: served.args['host'] ?? '', habitus_port: String(port) });
    expect(body).toBe('value');
  });

  it.each([
    ['no secrets', 'ARG host\n', { secrets: [] }, []],
    ['a Dockerfile that asks for no service', 'ARG other\n', {}, [secretOf('value')]],
  ])('with %s gets no service', async (_, dockerfile, more, secrets) => {
    const step = stepOf('app', dockerfile, more);
    expect(needsService(step, 'declared')).toBe(false);
    const served = await service().serve(step, secrets, false);
    expect(served.args).toEqual({});
    await served.built();
    expect(records.size).toBe(0);
    expect(announced).toEqual([]);
  });

  it('is served without ARGs where the user chose port and password', async () => {
    const port = await freePort();
    const step = stepOf('app', 'RUN true\n');
    expect(needsService(step, 'all')).toBe(true);
    const made = service({ port, serves: 'all', password: 'p:w' });
    const served = await made.serve(step, [secretOf('value')], true);
    expect(served.args).toEqual({});
    const asked = { habitus_host: ADDRESS, habitus_port: String(port) };
    expect((await ask({ ...asked, habitus_user: 'habitus', habitus_password: 'p:w' })).body).toBe('value');
    expect((await ask(asked)).status).toBe(401);
  });

  it('keeps a host that the user gave for something else, but not one that means the service', async () => {
    const made = service();
    const argsFor = async (host: string): Promise<Readonly<Record<string, string>>> => {
      const step = stepOf('app', 'ARG host\nARG habitus_port\n', { args: { host } });
      const served = await made.serve(step, [secretOf('value')], true);
      await served[Symbol.asyncDispose]();
      return served.args;
    };
    expect(Object.keys(await argsFor('db.example.com'))).toEqual(['habitus_port']);
    expect((await argsFor(ADDRESS))['host']).toMatch(/@127\.0\.0\.1$/);
    expect((await argsFor('192.168.99.1'))['host']).toMatch(/@192\.168\.99\.1$/);
  });

  it('is served at the port that the user gave as a build arg', async () => {
    const port = String(await freePort());
    const step = stepOf('app', ALL_ARGS, { args: { habitus_port: port } });
    const served = await service().serve(step, [secretOf('value')], true);
    expect(served.args['habitus_port']).toBe(port);
    expect((await ask(served.args)).body).toBe('value');
  });

  it('announces its credentials to be redacted before anybody can say them', async () => {
    const { args } = await service().serve(stepOf('app', ALL_ARGS), [secretOf('value')], true);
    const password = args['habitus_password'] ?? '';
    expect(announced).toContain(password);
    expect(announced).toContain(Buffer.from(`${args['habitus_user'] ?? ''}:${password}`).toString('base64'));
  });
});

describe('several steps', () => {
  it('are served at once by one port, each its own secrets only', async () => {
    const made = service({ port: await freePort() });
    const labels = Array.from({ length: 10 }, (_, index) => `step${index}`);
    const all = await Promise.all(
      labels.map((label) => made.serve(stepOf(label, ALL_ARGS), [secretOf(`value of ${label}`)], true)),
    );
    expect(new Set(all.map(({ args }) => args['habitus_port'])).size).toBe(1);
    const bodies = await Promise.all(all.map(async ({ args }) => (await ask(args)).body));
    expect(bodies).toEqual(labels.map((label) => `value of ${label}`));
    const [first, second] = all as [ServedSecrets, ServedSecrets];
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    expect((await ask(first.args)).status).toBe(401);
    expect((await ask(second.args)).body).toBe('value of step1');
    for (const served of all) await served[Symbol.asyncDispose]();
    await expect(ask(second.args)).rejects.toThrow('ECONNREFUSED');
  });

  it('cannot read each other’s secrets by name', async () => {
    const made = service();
    const one = await made.serve(stepOf('one', ALL_ARGS), [secretOf('1')], true);
    const other: Secret = { ...secretOf('2'), name: 'other' };
    const two = await made.serve(stepOf('two', ALL_ARGS), [other], true);
    expect((await ask(one.args, '/v1/secrets/file/other')).status).toBe(404);
    expect((await ask(two.args, '/v1/secrets/file/other')).body).toBe('2');
    const crossed = { ...two.args, habitus_user: one.args['habitus_user'] ?? '' };
    expect((await ask(crossed, '/v1/secrets/file/other')).status).toBe(401);
  });

  it('of the same port are served one after the other: it is free again at once', async () => {
    const made = service({ port: await freePort() });
    for (let i = 0; i < 20; i++) {
      const served = await made.serve(stepOf('app', ALL_ARGS), [secretOf(`value ${i}`)], true);
      expect((await ask(served.args)).body).toBe(`value ${i}`);
      await served[Symbol.asyncDispose]();
    }
  });

  it('wait for each other where the user’s own password is all they have', async () => {
    const made = service({ port: await freePort(), password: 'own' });
    const order: string[] = [];
    const serve = async (label: string): Promise<ServedSecrets> => {
      const served = await made.serve(stepOf(label, ALL_ARGS), [secretOf(label)], true);
      order.push(label);
      return served;
    };
    const one = await serve('one');
    const second = serve('two');
    expect((await ask(one.args)).body).toBe('one');
    expect(order).toEqual(['one']);
    await one[Symbol.asyncDispose]();
    expect((await ask((await second).args)).body).toBe('two');
  });
});

describe('a guesser', () => {
  it('is stopped after 20 attempts on any port of the session', async () => {
    const made = service();
    const one = await made.serve(stepOf('one', ALL_ARGS), [secretOf('1')], true);
    const two = await made.serve(stepOf('two', ALL_ARGS), [secretOf('2')], true);
    expect(one.args['habitus_port']).not.toBe(two.args['habitus_port']);
    const statuses: number[] = [];
    for (let i = 0; i < 24; i++) {
      const { args } = i % 2 === 0 ? one : two;
      statuses.push((await ask({ ...args, habitus_password: `guess${i}` })).status);
    }
    expect(statuses).toEqual([...Array<number>(20).fill(401), ...Array<number>(4).fill(429)]);
    expect((await ask(one.args)).status).toBe(429);
    expect(told).toHaveLength(21);
  });

  it.each(['', 'GET /v1/ping HTTP/1.1\r\n'])('is cut off with the step, having said %j', async (words) => {
    const served = await service().serve(stepOf('app', ALL_ARGS), [secretOf('1')], true);
    const socket = connect(Number(served.args['habitus_port']), ADDRESS);
    await once(socket, 'connect');
    if (words !== '') socket.write(words);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // How it is cut off does not matter.
    socket.on('error', () => undefined);
    await served[Symbol.asyncDispose]();
    await closed;
  });
});

describe('the next session', () => {
  const step = stepOf('app', ALL_ARGS);
  const built = async (secret: Secret, of = step): Promise<Readonly<Record<string, string>>> => {
    const served = await service().serve(of, [secret], false);
    await served.built();
    await served[Symbol.asyncDispose]();
    return served.args;
  };

  it('gives an unchanged step the same args, which open nothing but tell when they are used', async () => {
    const first = await built(secretOf('value'));
    const made = service();
    const again = await made.serve(step, [secretOf('value')], false);
    expect(again.args).toEqual(first);
    expect(again.stale.aborted).toBe(false);
    const { status, body } = await ask(again.args);
    expect(status).toBe(403);
    expect(body).not.toContain('value');
    expect(again.stale.aborted).toBe(true);
    await again[Symbol.asyncDispose]();
    const fresh = await made.serve(step, [secretOf('value')], true);
    expect(fresh.args['habitus_password']).not.toBe(first['habitus_password']);
    expect((await ask(fresh.args)).body).toBe('value');
    expect((await ask({ ...first, habitus_port: fresh.args['habitus_port'] ?? '' })).status).toBe(401);
  });

  it('gives them once more, as long as nobody uses them', async () => {
    const first = await built(secretOf('value'));
    expect(await built(secretOf('value'))).toEqual(first);
    expect(await built(secretOf('value'))).toEqual(first);
  });

  it.each<readonly [string, () => ReturnType<typeof built>]>([
    ['a secret has changed', () => built(secretOf('changed'))],
    ['the step is built without cache', () => built(secretOf('value'), { ...step, noCache: true })],
    ['the step is another', () => built(secretOf('value'), { ...step, label: 'other' })],
  ])('gives new ones where %s', async (_, next) => {
    const first = await built(secretOf('value'));
    expect((await next())['habitus_password']).not.toBe(first['habitus_password']);
  });

  it('gives new ones where the step was never built', async () => {
    const served = await service().serve(step, [secretOf('value')], false);
    await served[Symbol.asyncDispose]();
    const again = await service().serve(step, [secretOf('value')], false);
    expect(again.args['habitus_password']).not.toBe(served.args['habitus_password']);
    expect((await ask(again.args)).status).toBe(200);
  });

  it('takes another port, with new credentials, where the old one is taken', async () => {
    const first = await built(secretOf('value'));
    const { port } = await takenPort();
    records.set('app', { ...(records.get('app') as ServiceRecord), port });
    const again = await service().serve(step, [secretOf('value')], false);
    expect(again.args['habitus_port']).not.toBe(String(port));
    expect(again.args['habitus_password']).not.toBe(first['habitus_password']);
    expect((await ask(again.args)).body).toBe('value');
  });

  it('serves by a password of the user’s own at the same port, and remembers none', async () => {
    const own = (): SecretService => service({ password: 'own' });
    const first = await own().serve(step, [secretOf('value')], false);
    await first.built();
    await first[Symbol.asyncDispose]();
    expect(JSON.stringify([...records])).not.toContain('own');
    const again = await own().serve(step, [secretOf('value')], false);
    expect(again.args).toEqual(first.args);
    expect((await ask(again.args)).body).toBe('value');
    expect(again.stale.aborted).toBe(false);
  });
});

describe('a place where nobody can listen', () => {
  it('is told with what to do', async () => {
    const { port } = await takenPort();
    const step = stepOf('app', ALL_ARGS);
    const taken = await refusal(service({ port }).serve(step, [secretOf('value')], true));
    expect([taken.message, taken.hint]).toEqual([
      `port ${port} of 127.0.0.1, where the secrets service is to listen, is taken`,
      'Declare "ARG habitus_port" in the Dockerfile and use it, so that any free port will do; or give another one with --port.',
    ]);
    const away = await refusal(service({ address: '192.0.2.1' }).serve(step, [secretOf('value')], true));
    expect([away.message, away.hint]).toEqual([
      'the secrets service cannot listen on 192.0.2.1: it is no address of this machine',
      'Give --binding an address of this machine that build containers can reach.',
    ]);
  });

  it('does not keep the next step waiting', async () => {
    const { port, server } = await takenPort();
    const made = service({ port, password: 'own' });
    await refusal(made.serve(stepOf('app', ALL_ARGS), [secretOf('value')], true));
    server.close();
    await once(server, 'close');
    const served = await made.serve(stepOf('app', ALL_ARGS), [secretOf('value')], true);
    expect((await ask(served.args)).body).toBe('value');
  });
});

describe('the end of the session', () => {
  it('ends every step’s service, and begins no other', async () => {
    const made = service({ password: 'own' });
    const served = await made.serve(stepOf('one', ALL_ARGS), [secretOf('value')], true);
    const waiting = expect(made.serve(stepOf('two', ALL_ARGS), [secretOf('value')], true)).rejects.toThrow(
      'the secrets service has ended before step two',
    );
    await made[Symbol.asyncDispose]();
    await waiting;
    await expect(ask(served.args)).rejects.toThrow('ECONNREFUSED');
  });
});
