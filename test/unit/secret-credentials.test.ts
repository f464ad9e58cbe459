/** Who may have what from the secrets service: every way to be let in, and to be refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  basicToken,
  Doorkeeper,
  MOST_ATTEMPTS,
  throwAwayCredentials,
} from '../../src/secrets/credentials.js';
import { answer, type Answer, type Question } from '../../src/secrets/service-http.js';

const A = { user: 'a', password: 'of-a:with-colon' };
const B = { user: 'b', password: 'of-b' };

function doors(): { keeper: Doorkeeper; told: string[] } {
  const told: string[] = [];

  const keeper = new Doorkeeper((message) => told.push(message));
  const secretsOf = (step: string) => new Map([[`env/${step}`, Buffer.from(`value of ${step}`)]]);
  keeper.admit(A, { kind: 'live', step: 'a', secrets: secretsOf('a') });
  keeper.admit(B, { kind: 'live', step: 'b', secrets: secretsOf('b') });
  return { keeper, told };
}

const basic = (credentials: typeof A): string => `Basic ${basicToken(credentials)}`;

function ask(keeper: Doorkeeper, question: Partial<Question>): Answer {
  return answer(
    { method: 'GET', url: '/v1/ping', authorization: undefined, peer: '172.17.0.2', ...question },
    keeper,
    '2.0.0',
  );
}

describe('throw-away credentials', () => {
  it('have 128 random bits, and mean the same in a URL, in a shell and after an option', () => {
    const made = Array.from({ length: 100 }, () => throwAwayCredentials());
    for (const { user, password } of made) {
      expect(user).toMatch(/^[0-9a-f]{8}$/);
      expect(password).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(new Set(made.map(({ password }) => password)).size).toBe(100);
  });
});

describe('the service', () => {
  it('answers by the routes of the original', () => {
    const { keeper } = doors();
    const authorization = basic(A);
    const ping = ask(keeper, { authorization });
    expect([ping.status, ping.body.toString()]).toEqual([200, '"ok"']);
    const version = ask(keeper, { authorization, url: '/v1/version' });
    expect([version.status, version.body.toString()]).toEqual([200, '"2.0.0"']);
    const secret = ask(keeper, { authorization, url: '/v1/secrets/env/a' });
    expect(secret).toEqual({
      status: 200,
      headers: { 'Content-Type': 'text/plain' },
      body: Buffer.from('value of a'),
    });
    expect(ask(keeper, { authorization, url: '/v1/secrets/env/%61?x=1' }).status).toBe(200);
  });

  it('gives a step nothing of another, and tells no difference between that and nothing', () => {
    const { keeper, told } = doors();
    const other = ask(keeper, { authorization: basic(A), url: '/v1/secrets/env/b' });
    const none = ask(keeper, { authorization: basic(A), url: '/v1/secrets/env/none' });
    expect(other.status).toBe(404);
    expect(other).toEqual(none);
    expect(told).toEqual([
      'step a asked for the secret "env/b", which it does not declare',
      'step a asked for the secret "env/none", which it does not declare',
    ]);
  });

  it.each([
    '/',
    '/v1',
    '/v1/secrets',
    '/v1/secrets/',
    '/v1/secrets/env',
    '/v1/secrets/env/',
    '/v1/secrets/env/%',
    '//v1/ping',
    '*',
  ])('lists nothing at %s', (url) => {
    const { keeper } = doors();
    const { status, body } = ask(keeper, { authorization: basic(A), url });
    expect([status, body.toString()]).toEqual([404, 'this step has no such secret\n']);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('is not for %s', (method) => {
    const { status, headers } = ask(doors().keeper, { method, authorization: basic(A) });
    expect([status, headers['Allow']]).toEqual([405, 'GET, HEAD']);
  });

  it('asks for credentials, which is no attempt', () => {
    const { keeper, told } = doors();
    for (let i = 0; i < 2 * MOST_ATTEMPTS; i++) {
      const { status, headers } = ask(keeper, {});
      expect(status).toBe(401);
      expect(headers['WWW-Authenticate']).toMatch(/^Basic realm=/);
    }
    expect(told).toEqual([]);
    expect(ask(keeper, { authorization: basic(A) }).status).toBe(200);
  });

  it.each([
    ['the password of another', basic({ user: 'a', password: 'of-b' })],
    ['no password', basic({ user: 'a', password: '' })],
    ['nothing', 'Basic '],
    ['another scheme', `Bearer ${basicToken(A)}`],
    ['what is no base64', `Basic a:${A.password}`],
    ['one character more', `Basic ${Buffer.from(`a:${A.password}x`).toString('base64')}`],
  ])('refuses %s', (_, authorization) => {
    const { keeper, told } = doors();
    expect(ask(keeper, { authorization }).status).toBe(401);
    expect(told).toEqual([
      'the secrets service refused wrong credentials from 172.17.0.2 (1 of 20 attempts)',
    ]);
  });

  it('lets nobody in by any other words', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((token) => `Basic ${token}`),
        ),
        (authorization) => {
          expect(ask(doors().keeper, { authorization }).status).toBe(401);
        },
      ),
    );
  });

  it('answers nobody any more after 20 wrong attempts, and says so once', () => {
    const { keeper, told } = doors();
    const wrong = basic({ user: 'a', password: 'guess' });
    const statuses = Array.from({ length: 30 }, () => ask(keeper, { authorization: wrong }).status);
    expect(statuses).toEqual([...Array<number>(20).fill(401), ...Array<number>(10).fill(429)]);
    expect(ask(keeper, { authorization: basic(A), url: '/v1/secrets/env/a' }).status).toBe(429);
    expect(told).toHaveLength(21);
    expect(told.at(-1)).toBe(
      'the secrets service answers nobody any more: 20 attempts with wrong credentials',
    );
    expect(told.join('\n')).not.toContain('guess');
  });

  it('knows credentials only until they are revoked', () => {
    const { keeper } = doors();
    const late = { user: 'late', password: 'late' };
    const revoke = keeper.admit(late, { kind: 'live', step: 'late', secrets: new Map() });
    expect(ask(keeper, { authorization: basic(late) }).status).toBe(200);
    revoke();
    expect(ask(keeper, { authorization: basic(late) }).status).toBe(401);
  });

  it('refuses spent credentials at any route, which is no attempt', () => {
    const { keeper, told } = doors();
    const spent = { user: 'old', password: 'old' };
    let presented = 0;
    keeper.admit(spent, { kind: 'spent', step: 'a', presented: () => presented++ });
    for (const url of ['/v1/ping', '/v1/secrets/env/a', '/']) {
      for (let i = 0; i < 10; i++) {
        expect(ask(keeper, { authorization: basic(spent), url }).status).toBe(403);
      }
    }
    expect(presented).toBe(30);
    expect(told).toEqual([]);
    expect(ask(keeper, { authorization: basic(A) }).status).toBe(200);
  });

  it('complains of missing secrets only some times', () => {
    const { keeper, told } = doors();
    for (let i = 0; i < 100; i++) ask(keeper, { authorization: basic(A), url: `/v1/secrets/env/${i}` });
    expect(told).toHaveLength(20);
  });
});
