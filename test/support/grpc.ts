/** A client of the reference implementation of gRPC, connected to handlers of ours. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Client, credentials, Metadata, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js';
import { serveGrpc, type Handlers } from '../../src/engine/grpc-server.js';

export type Duplex = ClientDuplexStream<Buffer, Buffer>;

export interface Scene extends AsyncDisposable {
  readonly client: Client;
  readonly port: number;
  /** Messages are bytes. */
  open(path: string, headers?: Readonly<Record<string, string | readonly string[]>>): Duplex;
  /** Ends the server's side of the connection. */
  hangUp(): void;
}

const same = (message: Buffer): Buffer => message;

export async function grpcScene(handlers: Handlers, onNonsense?: () => void): Promise<Scene> {
  const ends: (() => void)[] = [];
  const sockets: Socket[] = [];
  const listener = createServer((socket) => {
    sockets.push(socket);
    const server = serveGrpc(socket, handlers, onNonsense);
    ends.push(() => {
      server.close();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  const scene: Scene = {
    client,
    port,
    open(path, headers = {}) {
      const metadata = new Metadata();
      for (const [name, values] of Object.entries(headers)) {
        for (const value of [values].flat()) metadata.add(name, value);
      }
      return client.makeBidiStreamRequest(path, same, same, metadata);
    },
    hangUp() {
      for (const end of ends.splice(0)) end();
    },
    async [Symbol.asyncDispose]() {
      client.close();
      scene.hangUp();
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
  return scene;
}

/** All messages until the end, and how it ended. */
export async function outcomeOf(
  call: Duplex,
): Promise<{ messages: readonly Buffer[]; code: number; details: string }> {
  const messages: Buffer[] = [];
  call.on('data', (message: Buffer) => messages.push(message)).on('error', () => undefined);
  const { code, details } = await new Promise<StatusObject>((resolve) => call.once('status', resolve));
  return { messages, code, details };
}
