/** The secrets service in HTTP: the routes of the original, for those alone who have the credentials of a step. */
import type { RequestListener } from 'node:http';
import type { Doorkeeper, Grant } from './credentials.js';

export interface Question {
  readonly method: string;
  /** Path and query as requested. */
  readonly url: string;
  /** The header's value. */
  readonly authorization: string | undefined;
  /** The client's address, for people. */
  readonly peer: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** @param version what `/v1/version` tells */
export function requestListener(doorkeeper: Doorkeeper, version: string): RequestListener {
  return (request, response) => {
    const { status, headers, body } = answer(
      {
        method: request.method ?? '',
        url: request.url ?? '',
        authorization: request.headers.authorization,
        peer: request.socket.remoteAddress ?? 'a client that has left',
      },
      doorkeeper,
      version,
    );
    response.writeHead(status, {
      ...headers,
      'Content-Length': body.length,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      Connection: 'close',
    });
    // Of a HEAD request's answer node leaves out the body.
    response.end(body);
  };
}

export function answer(question: Question, doorkeeper: Doorkeeper, version: string): Answer {
  const verdict = doorkeeper.ask(question.authorization, question.peer);
  switch (verdict.kind) {
    case 'locked':
      return refusal(429, 'too many attempts with wrong credentials in this session');
    case 'absent':
    case 'wrong':
      return refusal(401, 'the credentials of the step are needed', {
        'WWW-Authenticate': 'Basic realm="Habitus secret service", charset="UTF-8"',
      });
    case 'spent':
      verdict.presented();
      return refusal(403, 'credentials of an earlier session; the step is built again with new ones');
    case 'live':
      return serve(question, verdict, doorkeeper, version);
  }
}

function serve(
  { method, url }: Question,
  grant: Extract<Grant, { kind: 'live' }>,
  doorkeeper: Doorkeeper,
  version: string,
): Answer {
  if (method !== 'GET' && method !== 'HEAD') {
    return refusal(405, 'this service is only read', { Allow: 'GET, HEAD' });
  }
  const path = url.replace(/\?.*$/s, '');
  if (path === '/v1/ping') return json('ok');
  if (path === '/v1/version') return json(version);
  const secret = secretOf(path);
  const value = secret === undefined ? undefined : grant.secrets.get(secret);
  if (value !== undefined) return { status: 200, headers: { 'Content-Type': 'text/plain' }, body: value };
  if (secret !== undefined) doorkeeper.missing(grant.step, secret);
  // The same for a secret of another step as for none: there is nothing to learn.
  return refusal(404, 'this step has no such secret');
}

/** `TYPE/NAME`. */
function secretOf(path: string): string | undefined {
  const [, type, name] = /^\/v1\/secrets\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (type === undefined || name === undefined) return undefined;
  try {
    return `${decodeURIComponent(type)}/${decodeURIComponent(name)}`;
  } catch {
    return undefined;
  }
}

function json(value: string): Answer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
  };
}

function refusal(status: number, why: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/plain', ...headers },
    body: Buffer.from(`${why}\n`),
  };
}
