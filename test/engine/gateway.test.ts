/** Where RUN finds the host: a server on that address is reached from every builder, and networks say what they have. */
import { randomBytes, randomInt } from 'node:crypto';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Builder, BuilderEvent, Engine } from '../../src/core/ports.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';
import { endpointOf } from '../../src/lab/http.js';
import { engines, type TestEngine } from '../support/engines.js';
import { realEngine } from '../support/real-engine.js';
import { NEVER, readAll } from '../support/tar.js';

describe.each(engines())('the gateway of $name', (testEngine) => {
  let engine: Engine;

  beforeAll(async () => {
    ({ engine } = await realEngine(testEngine));
  });
  afterAll(async () => {
    await engine.close();
  });

  it('is told with whether the engine is on this machine', () => {
    expect(engine.info.local).toBe(testEngine.socket !== undefined);
  });

  async function reaches(builder: Builder, network: string): Promise<string[]> {
    const address = await engine.gateway(network, NEVER);
    const server = createServer((_, answer) => answer.end('reached\n'));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, address, resolve);
    });
    const id = randomBytes(6).toString('hex');
    const tag = `127.0.0.1:1/habitus-gateway/${id}:latest`;
    const { port } = server.address() as AddressInfo;
    const run = `RUN wget -q -O - http://${address ?? ''}:${port}/ # ${id}`;
    const events: BuilderEvent[] = [];
    try {
      await engine.build(
        {
          builder,
          context: memoryFolder(new Map()),
          contextKey: id,
          dockerfile: Buffer.from(`FROM busybox:latest\n${run}\n`),
          tag,
          args: {},
          noCache: false,
          network,
          limits: {},
          removeContainers: true,
          secrets: new Map(),
          ssh: [],
        },
        (event) => events.push(event),
        NEVER,
      );
    } finally {
      server.close();
    }
    await engine.removeImage(tag);
    return events.flatMap((event) => (event.type === 'output' ? [event.line] : []));
  }

  // This machine is not the host of an engine elsewhere.
  describe.each(testEngine.socket === undefined ? [] : testEngine.builders)('with %s', (builder) => {
    it.each(['default', 'host'])('is where RUN reaches this machine with the network %s', async (network) => {
      expect(await reaches(builder, network)).toEqual(['reached']);
    });
  });

  it('of a network of one’s own is the one that the network tells', async () => {
    const name = `habitus-gateway-${randomBytes(4).toString('hex')}`;
    // Of the addresses for benchmarks (RFC 2544), which no network that matters has.
    const block = `198.${randomInt(18, 20)}.${randomInt(256)}`;
    const ipam = { Config: [{ Subnet: `${block}.0/24`, Gateway: `${block}.9` }] };
    await ask(testEngine, 'POST', '/networks/create', { Name: name, Driver: 'bridge', IPAM: ipam });
    try {
      expect(await engine.gateway(name, NEVER)).toBe(`${block}.9`);
    } finally {
      await ask(testEngine, 'DELETE', `/networks/${name}`);
    }
  });
});

async function ask({ host }: TestEngine, method: string, path: string, body?: object): Promise<void> {
  const endpoint = endpointOf(host);
  if (endpoint === undefined) throw new Error(`no endpoint: ${host}`);
  const where =
    endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  const headers = { 'Content-Type': 'application/json' };
  const said = await new Promise<Buffer>((resolve, reject) => {
    request({ ...where, method, path, headers, agent: false }, (answer) => {
      readAll(answer).then(resolve, reject);
    })
      .on('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
  if (said.includes('"message"')) throw new Error(said.toString());
}
