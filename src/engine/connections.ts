/** Connections to one engine: by socket, port or ssh, each up within its time and dead when its other end is. */
import { Agent as HttpAgent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { inspect } from 'node:util';
import { EngineError } from '../core/errors.js';
import type { EngineAddress } from './address.js';
import { silent } from './explain.js';
import { loadModem, type Modem } from './modem.js';
import { SshAgent } from './ssh.js';

export interface Connections {
  readonly modem: Modem;
  close(): void;
}

/** Silent for this long, the other end is asked whether it still is there: it has ten more seconds to say so. */
const KEEP_ALIVE_MS = 10_000;

/** A connection that nobody uses is closed: calls that follow each other need it, and no proxy gives up an idle one so soon. */
const IDLE_MS = 1_000;

type Reuse = Pick<AgentOptions, 'keepAlive' | 'keepAliveMsecs' | 'timeout'>;

const NONE: Reuse = { keepAlive: false };
const SHORT: Reuse = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, timeout: IDLE_MS };

/** @param connectMs after which a connection that is not up fails */
export function openConnections(address: EngineAddress, connectMs: number): Connections {
  const fresh = agentFor(address, connectMs, NONE);
  // Of ssh each connection is a channel of one that stays.
  const reusing = address.kind === 'ssh' ? fresh : agentFor(address, connectMs, SHORT);
  return {
    modem: adapted(openModem(address, fresh), reusing),
    close: () => {
      fresh.destroy();
      reusing.destroy();
    },
  };
}

function agentFor(address: EngineAddress, connectMs: number, reuse: Reuse): HttpAgent {
  const watch = (socket: Duplex | null | undefined, up: string): typeof socket => {
    if (socket instanceof Socket) limitConnect(socket, up, address, connectMs);
    return socket;
  };
  switch (address.kind) {
    case 'ssh':
      return new SshAgent(address.target);
    case 'socket':
      return new PlainAgent((socket) => watch(socket, 'connect'), reuse);
    case 'tcp': {
      const { tls } = address;
      return tls === undefined
        ? new PlainAgent((socket) => watch(socket, 'connect'), reuse)
        : new TlsAgent((socket) => watch(socket, 'secureConnect'), {
            ...reuse,
            ca: tls.ca,
            cert: tls.cert,
            key: tls.key,
            rejectUnauthorized: tls.verify,
          });
    }
  }
}

const NO_TLS: object = { servername: '' };

type Watch = (socket: Duplex | null | undefined) => Duplex | null | undefined;

class PlainAgent extends HttpAgent {
  readonly #watch: Watch;

  constructor(watch: Watch, reuse: Reuse) {
    // Else Node looks for a name that TLS may need, by an expression that takes milliseconds to compile.
    super({ ...reuse, ...NO_TLS });
    this.#watch = watch;
  }

  override createConnection(...given: Parameters<HttpAgent['createConnection']>): ReturnType<Watch> {
    return this.#watch(super.createConnection(...given));
  }
}

class TlsAgent extends HttpsAgent {
  readonly #watch: Watch;

  constructor(watch: Watch, options: ConstructorParameters<typeof HttpsAgent>[0]) {
    super(options);
    this.#watch = watch;
  }

  override createConnection(
    options: ClientRequestArgs,
    done?: (error: Error | null, stream: Duplex) => void,
  ): ReturnType<Watch> {
    return this.#watch(super.createConnection(options, done));
  }
}

function limitConnect(socket: Socket, up: string, address: EngineAddress, ms: number): void {
  if (address.kind === 'tcp') socket.setKeepAlive(true, KEEP_ALIVE_MS);
  const timer = setTimeout(() => {
    socket.destroy(silent(address, ms));
  }, ms).unref();
  const stop = (): void => {
    clearTimeout(timer);
  };
  socket.once(up, stop).once('close', stop);
}

/**
 * docker-modem has one agent for all requests, and formats each for its debug log, even when that is off: as much work as a fifth of
 * the whole call.
 */
function adapted(modem: Modem, reusing: HttpAgent): Modem {
  const send = modem.buildRequest.bind(modem);
  modem.buildRequest = (request, use, ...rest) => {
    if (use.onReuse !== undefined && hasIdle(reusing)) use.onReuse();
    const routed = use.onReuse === undefined ? request : { ...request, agent: reusing };
    send(Object.defineProperty(routed, inspect.custom, { value: () => 'a request' }), use, ...rest);
  };
  return modem;
}

function hasIdle({ freeSockets }: HttpAgent): boolean {
  return Object.values(freeSockets).some((idle) => idle?.some(({ destroyed }) => !destroyed));
}

function openModem(address: EngineAddress, agent: HttpAgent): Modem {
  // What is not set here docker-modem would take from process.env.
  const common = { agent, ca: undefined, cert: undefined, key: undefined, timeout: undefined };
  const Modem = loadModem();
  try {
    switch (address.kind) {
      case 'socket':
        return new Modem({ ...common, protocol: 'http', host: undefined, socketPath: address.path });
      case 'ssh':
        return new Modem({ ...common, protocol: 'http', host: 'http://docker', port: 80 });
      case 'tcp': {
        const protocol = address.tls === undefined ? 'http' : 'https';
        return new Modem({
          ...common,
          protocol,
          host: `${protocol}://${address.hostname}`,
          port: address.port,
        });
      }
    }
  } catch (cause) {
    throw new EngineError(`The connection to ${address.url} could not be prepared`, {
      cause,
      hint: 'Check DOCKER_HOST and DOCKER_CERT_PATH, or unset them.',
    });
  }
}
