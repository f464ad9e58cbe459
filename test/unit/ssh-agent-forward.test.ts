/** How an ssh client far away and an agent here are joined, by gRPC as BuildKit speaks it: both ways, both ends, and slow readers. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sshService } from '../../src/engine/ssh-service.js';
import type { SshSource } from '../../src/engine/ssh-sources.js';
import { CALLS, decodeData, encodeData } from '../../src/engine/wire.js';
import { MessageWriter } from '../../src/engine/protobuf.js';
import { grpcScene, outcomeOf, type Duplex, type Scene } from '../support/grpc.js';

describe('an ssh session', () => {
  let folder: string;
  let scene: Scene;
  const ends: (() => void)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hab-ssh-'));
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    for (const end of ends.splice(0)) end();
    await rm(folder, { recursive: true });
  });

  async function serve(sources: Readonly<Record<string, SshSource>>): Promise<void> {
    scene = await grpcScene(sshService(new Map(Object.entries(sources))));
  }

  /** An agent that does so with each connection. */
  async function agent(onConnection: (socket: Socket) => void): Promise<SshSource> {
    const socket = join(folder, 'agent.sock');
    const listener = createServer(onConnection);
    await new Promise<void>((resolve) => listener.listen(socket, resolve));
    ends.push(() => listener.close());
    return { kind: 'agent', socket };
  }

  function forward(id?: string): Duplex {
    return scene.open(CALLS.forwardAgent, id === undefined ? {} : { 'buildkit.ssh.id': id });
  }

  async function statusOf(call: Duplex): Promise<{ code: number; details: string }> {
    const { code, details } = await outcomeOf(call);
    return { code, details };
  }

  const check = (id: string) =>
    new Promise<{ code: status; details: string } | undefined>((resolve) => {
      const request = Buffer.from(new MessageWriter().data(1, id).bytes);
      const same = (message: Buffer): Buffer => message;
      scene.client.makeUnaryRequest(
        CALLS.checkAgent,
        same,
        same,
        request,
        (error: ServiceError | null): void => {
          resolve(error === null ? undefined : { code: error.code, details: error.details });
        },
      );
    });

  it('knows the ids of the step, and takes none for the default', async () => {
    await serve({ default: { kind: 'keys', keys: [] } });
    expect(await check('')).toBeUndefined();
    expect(await check('default')).toBeUndefined();
    const unknown = { code: status.NOT_FOUND, details: 'this step has no ssh "deploy"' };
    expect(await check('deploy')).toEqual(unknown);
    expect(await statusOf(forward('deploy'))).toEqual(unknown);
  });

  it('joins a client with the agent of its id', async () => {
    const source = await agent((socket) => socket.pipe(socket));
    await serve({ default: { kind: 'keys', keys: [] }, deploy: source });
    const call = forward('deploy');
    call.write(encodeData(Buffer.from('hello')));
    const [answer] = (await once(call, 'data')) as [Buffer];
    expect(decodeData(answer).toString()).toBe('hello');
    call.end();
    expect((await statusOf(call)).code).toBe(status.OK);
  });

  it('ends the connection to the agent when the client ends or is cut off', async () => {
    const sockets: Socket[] = [];
    const source = await agent((socket) => {
      sockets.push(socket.resume());
      socket.write('here');
    });
    await serve({ default: source });
    const [polite, cut] = [forward(), forward()];
    for (const call of [polite, cut]) {
      call.on('error', () => undefined);
      await once(call, 'data');
    }
    const closed = sockets.map((socket) => once(socket, 'close'));
    expect(closed).toHaveLength(2);
    polite.end();
    cut.cancel();
    await Promise.all(closed);
  });

  it('ends the connection to the agent when the session is over', async () => {
    let socket: Socket | undefined;
    const source = await agent((made) => {
      socket = made.resume();
      made.write('here');
    });
    await serve({ default: source });
    const call = forward();
    call.on('error', () => undefined);
    await once(call, 'data');
    const closed = once(socket ?? expect.fail(), 'close');
    scene.hangUp();
    await closed;
  });

  it('ends the call when the agent hangs up, and fails it when there is none', async () => {
    const source = await agent((socket) => socket.end('bye'));
    await serve({ default: source, gone: { kind: 'agent', socket: join(folder, 'gone') } });
    expect((await statusOf(forward())).code).toBe(status.OK);
    const { code, details } = await statusOf(forward('gone'));
    expect(code).toBe(status.UNAVAILABLE);
    expect(details).toMatch(/^the ssh agent is gone: connect ENOENT /);
  });

  it('does not read from the client faster than the agent takes', async () => {
    let held: Socket | undefined;
    const source = await agent((socket) => {
      held = socket.pause();
      socket.write('here');
    });
    await serve({ default: source });
    const call = forward();
    call.on('error', () => undefined);
    await once(call, 'data');
    const piece = Buffer.alloc(1 << 16);
    const total = 256;
    let taken = 0;
    const sending = (async () => {
      for (; taken < total; taken++) {
        await new Promise<void>((resolve) =>
          call.write(encodeData(piece), () => {
            resolve();
          }),
        );
      }
      call.end();
    })();
    // What both kernels and libraries buffer is less than the whole: it gets stuck.
    let before = -1;
    await expect
      .poll(
        () => {
          const stuck = taken === before;
          before = taken;
          return stuck;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(taken).toBeLessThan(total);
    let received = 0;
    const socket = held ?? expect.fail();
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.resume();
    await Promise.all([sending, once(socket, 'end')]);
    expect(received).toBe(total * piece.length);
  });
});
