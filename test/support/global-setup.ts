/** Starts the engines for the tests, or fails and says what this machine lacks: no engine test is ever skipped. */

import type { TestProject } from 'vitest/node';
import { engineName, TEST_ENGINES, type EngineName } from '../../src/lab/catalogue.js';
import { ensureEngine } from '../../src/lab/engine.js';
import { LabError } from '../../src/lab/error.js';
import { answers, call, endpointOf } from '../../src/lab/http.js';
import { missingImages, nameOf, pull } from '../../src/lab/images.js';
import { whatIsMissing } from '../../src/lab/packages.js';
import { aloud } from '../../src/lab/say.js';
import type { TestEngine } from './engines.js';

export default async function setup(project: TestProject): Promise<void> {
  try {
    const given = process.env['HABITUS_TEST_ENGINE'];
    project.provide('engines', given === undefined ? await privateEngines() : [await givenEngine(given)]);
  } catch (error) {
    // Vitest shows the message only.
    if (error instanceof LabError) error.message = `${error.message}\n  ${error.hint}`;
    throw error;
  }
}

async function privateEngines(): Promise<readonly TestEngine[]> {
  const names = chosenNames(process.env['HABITUS_TEST_ENGINES']);
  const problem = await whatIsMissing();
  if (problem !== undefined) {
    const hint = `${problem.hint}; for the tests: HABITUS_TEST_ENGINE=unix:///path/to/docker.sock npm test`;
    throw new LabError(`the engine tests have no engine: ${problem.message}`, hint);
  }
  const found: TestEngine[] = [];
  for (const name of names) {
    const { host, socket } = await ensureEngine(name);
    found.push({ name, host, socket, builders: ['classic', 'buildkit'] });
  }
  return found;
}

/** HABITUS_TEST_ENGINES=e28,e28c restricts the engines for a developer in a hurry. */
function chosenNames(list: string | undefined): readonly EngineName[] {
  if (list === undefined || list.trim() === '') return TEST_ENGINES;
  return list.split(',').map((name) => engineName(name.trim()));
}

async function givenEngine(host: string): Promise<TestEngine> {
  const endpoint = endpointOf(host);
  if (endpoint === undefined || !(await answers(endpoint))) {
    const hint = 'give a unix:// or tcp:// address of a running engine, or unset it to use private engines';
    throw new LabError(`HABITUS_TEST_ENGINE=${host} does not answer`, hint);
  }
  for (const image of await missingImages(endpoint)) {
    if (await pull(endpoint, image, aloud)) continue;
    throw new LabError(`the engine at ${host} lacks ${nameOf(image)}`, `docker pull ${nameOf(image)}`);
  }
  const { headers } = await call(endpoint, { method: 'GET', path: '/_ping' });
  const buildkit = headers['ostype'] === 'linux' && hasBuildKit(String(headers['api-version'] ?? ''));
  return {
    name: 'given',
    host,
    socket: endpoint.kind === 'unix' ? endpoint.path : undefined,
    builders: buildkit ? ['classic', 'buildkit'] : ['classic'],
  };
}

/** BuildKit's session came with API 1.39. */
function hasBuildKit(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 1 || minor >= 39;
}
