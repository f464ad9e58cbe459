/** Stands between the program and an engine, keeps a list of the calls, and breaks one of them on cue. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { endpointOf } from '../../src/lab/http.js';
import { atEnd } from './build-cleanup.js';
import type { TestEngine } from './engines.js';

/**
 * `cut`: both connections end. `reset`: by RST. `half-close`: the program is told that no more comes, the engine is not told
 * anything. `stall`: nothing passes any more. `silence`: nothing passes any more, of any call, for good.
 * The others take the place of the answer, or change one byte of it.
 */
export type Fault =
  'cut' | 'reset' | 'half-close' | 'stall' | 'silence' | 'refusal' | 'page' | 'garbage' | 'noise' | 'corrupt';

/** One of the calls that a program makes, as the proxy saw it. */
export interface SeenCall {
  readonly method: string;
  /** Without version, query, IDs and names, e.g. `/containers/{id}/json`. */
  readonly shape: string;
  /** As it was sent. */
  readonly path: string;
  /** Bytes of the request and of the answer, heads included. */
  sent: number;
  received: number;
}

/** Where in a call a fault comes: after so many bytes of the answer, or of the request, or the last byte before its end. */
export type Point =
  { readonly in: 'answer'; readonly after: number } | { readonly in: 'request'; readonly after: number };

export interface Blow {
  readonly point: Point;
  readonly fault: Fault;
}

/** @returns what becomes of this call; `calls` are all so far, it is the last of them */
export type Script = (call: SeenCall, calls: readonly SeenCall[]) => Blow | undefined;

const ANSWERS: Partial<Record<Fault, string>> = {
  refusal: http(500, 'application/json', '{"message":"something went wrong inside"}\n'),
  page: http(
    502,
    'text/html',
    '<html><head><title>502 Bad Gateway</title></head><body>\x1b[2J</body></html>',
  ),
  garbage: http(200, 'application/json', '\x00\x01{"a":\n\x1b[31m]'),
  noise: '\x00\x01SSH-2.0-OpenSSH_9.2p1\r\n\r\n',
};

export class FaultProxy {
  readonly calls: SeenCall[] = [];
  /** How many blows have been dealt. */
  struck = 0;
  readonly #engine: TestEngine;
  readonly #script: Script;
  readonly #open = new Set<Socket>();
  #isSilent = false;
  #port = 0;

  private constructor(engine: TestEngine, script: Script) {
    this.#engine = engine;
    this.#script = script;
  }

  /** Closed after the file's tests, or before by `close`. */
  static async start(engine: TestEngine, script: Script = () => undefined): Promise<FaultProxy> {
    const proxy = new FaultProxy(engine, script);
    const server = createServer({ allowHalfOpen: true }, (client) => {
      proxy.#accept(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy.#port = (server.address() as AddressInfo).port;
    proxy.close = () => {
      server.close();
      for (const socket of proxy.#open) socket.destroy();
    };
    atEnd(() => {
      proxy.close();
    });
    return proxy;
  }

  close: () => void = () => undefined;

  /** The engine as seen through the proxy. */
  get engine(): TestEngine {
    return { ...this.#engine, host: `tcp://127.0.0.1:${this.#port}`, socket: undefined };
  }

  #accept(client: Socket): void {
    this.#keep(client);
    let head = '';
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const [, method, path] = /^([A-Z]+) (\S+) HTTP\/1\.1\r\n(?:.*\r\n)+\r\n/.exec(head) ?? [];
      if (method === undefined || path === undefined) return;
      client.off('data', read);
      client.pause();
      // Each call has a connection of its own, so that what breaks with one is told by its name.
      const first = head.replace('\r\nConnection: keep-alive\r\n', '\r\nConnection: close\r\n');
      this.#pass(client, Buffer.from(first, 'latin1'), {
        method,
        path,
        shape: shapeOf(path),
        sent: 0,
        received: 0,
      });
    };
    client.on('data', read);
  }

  #pass(client: Socket, first: Buffer, call: SeenCall): void {
    this.calls.push(call);
    const endpoint = endpointOf(this.#engine.host);
    if (endpoint === undefined) throw new Error(`no endpoint: ${this.#engine.host}`);
    const upstream = connect({
      ...(endpoint.kind === 'unix' ? endpoint : { host: endpoint.host, port: endpoint.port }),
      allowHalfOpen: true,
    });
    this.#keep(upstream);
    const { point, fault } = this.#script(call, this.calls) ?? { point: undefined, fault: undefined };
    let isOver = false;
    let isCorrupted = false;
    const strike = (): void => {
      if (fault === undefined) return;
      isOver = true;
      this.struck += 1;
      this.#strike(fault, client, upstream);
    };
    const isStopped = (): boolean => isOver || this.#isSilent;

    const toEngine = (chunk: Buffer): void => {
      if (isStopped()) return;
      call.sent += chunk.length;
      if (point?.in === 'request' && call.sent > point.after) {
        upstream.write(chunk.subarray(0, chunk.length - (call.sent - point.after)));
        strike();
      } else upstream.write(chunk);
    };
    // The last byte waits for what comes after it, so that a fault can come right before the end; what is a
    // conversation waits for each.
    const isConversation = /^\/session$|\/attach$/.test(call.shape);
    let held: Buffer = Buffer.alloc(0);
    const toClient = (chunk: Buffer): void => {
      if (isStopped()) return;
      call.received += chunk.length;
      if (point?.in !== 'answer') {
        client.write(chunk);
        return;
      }
      const passed = Buffer.concat([held, chunk]);
      const due = point.after - (call.received - passed.length);
      if (fault === 'corrupt') {
        const byte = passed[due];
        if (byte !== undefined && !isCorrupted) {
          passed[due] = byte ^ 1;
          isCorrupted = true;
          this.struck += 1;
        }
      } else if (due < passed.length) {
        client.write(passed.subarray(0, Math.max(0, due)));
        strike();
        return;
      }
      held = isConversation ? held : passed.subarray(-1);
      client.write(isConversation ? passed : passed.subarray(0, -1));
    };
    client.on('data', toEngine).on('end', () => isStopped() || upstream.end());
    upstream.on('data', toClient).on('end', () => {
      if (isStopped()) return;
      if (held.length > 0 && fault !== undefined && fault !== 'corrupt') strike();
      else client.end(held);
    });
    client.on('close', () => upstream.destroy()).on('error', () => upstream.destroy());
    // A stalled program does not see what becomes of the engine.
    upstream
      .on('error', () => isStopped() || client.destroy())
      .on('close', () => isStopped() || client.end());
    toEngine(first);
    client.resume();
  }

  #strike(fault: Fault, client: Socket, upstream: Socket): void {
    switch (fault) {
      case 'cut':
        client.end();
        upstream.destroy();
        return;
      case 'reset':
        client.resetAndDestroy();
        upstream.destroy();
        return;
      case 'half-close':
        client.end();
        return;
      case 'stall':
        return;
      case 'silence':
        this.#isSilent = true;
        return;
      case 'corrupt':
        return;
      case 'refusal':
      case 'page':
      case 'garbage':
      case 'noise':
        client.end(ANSWERS[fault] ?? '');
        upstream.destroy();
    }
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('error', () => undefined).on('close', () => this.#open.delete(socket));
  }
}

function http(status: number, type: string, body: string): string {
  const head = [`HTTP/1.1 ${status} Whatever`, `Content-Type: ${type}`, `Content-Length: ${body.length}`];
  return [...head, 'Connection: close', '', body].join('\r\n');
}

/** `/v1.51/images/127.0.0.1:1/habitus/x/1-a:latest/json?…` → `/images/{id}/json`. */
export function shapeOf(path: string): string {
  const bare = path.replace(/\?.*$/s, '').replace(/^\/v[\d.]+(?=\/)/, '');
  const [, kind = '', rest = ''] = /^\/(images|containers|exec|networks|volumes)\/(.*)$/.exec(bare) ?? [];
  if (kind === '' || /^(?:json|create|load|get|prune|search)$/.test(rest)) return bare;
  const verb = /\/(?:json|tag|archive|attach|start|wait|kill|exec|history)$/.exec(rest)?.[0] ?? '';
  return `/${kind}/{id}${verb}`;
}
