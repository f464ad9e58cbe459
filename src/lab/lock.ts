/**
 * One lock for the whole machine, as engines share its network: an abstract socket, which the kernel frees when its
 * holder dies, however it dies. Who waits is told whom it waits for, and goes on when the connection closes.
 */

import { createServer, connect, type Server, type Socket } from 'node:net';
import { hasCode } from './error.js';

const DEFAULT_NAME = '\0habitus-lab';

export interface LockOptions {
  /** Told once to each who waits. */
  readonly purpose: string;
  readonly onWait: (holder: string) => void;
  /** Another lock; abstract names begin with a NUL. */
  readonly name?: string;
}

/** Runs `work` while no other process runs any; the processes are served in no special order. */
export async function withLock<T>(options: LockOptions, work: () => Promise<T>): Promise<T> {
  const name = options.name ?? DEFAULT_NAME;
  const waiting = new Set<Socket>();
  const server = await hold(name, options, waiting);
  try {
    return await work();
  } finally {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of waiting) socket.destroy();
    await closed;
  }
}

async function hold(name: string, options: LockOptions, waiting: Set<Socket>): Promise<Server> {
  let told = '';
  for (;;) {
    const server = await listen(name, (socket) => {
      waiting.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => waiting.delete(socket));
      socket.write(`process ${process.pid} (${options.purpose})\n`);
    });
    if (server !== undefined) return server;
    await untilReleased(name, (holder) => {
      if (holder !== told) options.onWait(holder);
      told = holder;
    });
  }
}

function listen(name: string, onConnection: (socket: Socket) => void): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer(onConnection);
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE')) resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => {
      resolve(server);
    });
  });
}

function untilReleased(name: string, onHolder: (holder: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.setEncoding('utf8').on('data', (text: string) => {
      onHolder(text.trim());
    });
    // A refused connection means that the holder has just gone: the caller tries to listen again.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      resolve();
    });
  });
}
