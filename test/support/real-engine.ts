/** The real adapter for tests, and a second opinion on what lies on its engine, by plain HTTP. */
import { request } from 'node:http';
import { connect } from '../../src/engine/connect.js';
import type { ContractEngine } from './engine-contract.js';
import type { TestEngine } from './engines.js';
import { readAll } from './tar.js';

export async function realEngine({ host }: TestEngine): Promise<ContractEngine> {
  const engine = await connect({ host, env: {} }, AbortSignal.timeout(20_000));
  return {
    engine,
    countMarked: async (value) => {
      const filters = encodeURIComponent(JSON.stringify({ label: [`contract=${value}`] }));
      const found = await Promise.all(
        ['images', 'containers'].map((kind) => ask(host, `/${kind}/json?all=1&filters=${filters}`)),
      );
      return found.flat().length;
    },
  };
}

/** GET from the engine, as JSON. */
export async function ask(host: string, path: string): Promise<readonly unknown[]> {
  const where = host.startsWith('unix://')
    ? { socketPath: host.slice('unix://'.length) }
    : { host: new URL(host).hostname, port: new URL(host).port };
  const text = await new Promise<Buffer>((resolve, reject) => {
    request({ ...where, path }, (answer) => {
      readAll(answer).then(resolve, reject);
    })
      .on('error', reject)
      .end();
  });
  return JSON.parse(text.toString()) as readonly unknown[];
}
