/** A small HTTP client for the few requests that the lab makes of a Docker Engine. */

import { request } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A Unix socket's path, or host and port of an engine without TLS. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: Readable;
  /** Default: gives up after five minutes. */
  readonly signal?: AbortSignal;
  /** Sees the body's text as it comes in. */
  readonly onText?: (text: string) => void;
}

/** Reads `unix:///path`, `tcp://host:port` and `http://host:port`; undefined for what it does not speak (ssh, TLS). */
export function endpointOf(host: string): Endpoint | undefined {
  if (host.startsWith('unix://')) return { kind: 'unix', path: host.slice('unix://'.length) };
  const address = host.replace(/^tcp:/, 'http:');
  if (!address.startsWith('http://') || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  return { kind: 'tcp', host: url.hostname, port: Number(url.port === '' ? '2375' : url.port) };
}

const FIVE_MINUTES = 300_000;

/** One request; rejects when the connection fails or the signal aborts, whatever the status is. */
export async function call(endpoint: Endpoint, options: Call): Promise<Answer> {
  const where =
    endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  const req = request({
    ...where,
    method: options.method,
    path: options.path,
    headers: { Host: 'docker', ...(options.body && { 'Content-Type': 'application/x-tar' }) },
    agent: false,
    signal: options.signal ?? AbortSignal.timeout(FIVE_MINUTES),
  });
  const answered = new Promise<Answer>((resolve, reject) => {
    req.once('error', reject);
    req.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        options.onText?.(text);
      });
      response.once('error', reject);
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
  });
  if (options.body === undefined) {
    req.end();
    return answered;
  }
  const [answer] = await Promise.all([answered, pipeline(options.body, req)]);
  return answer;
}

/** Does an engine answer here within the time? */
export async function answers(endpoint: Endpoint, timeoutMs = 2000): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await call(endpoint, { method: 'GET', path: '/_ping', signal });
    return answer.status === 200;
  } catch {
    return false;
  }
}
