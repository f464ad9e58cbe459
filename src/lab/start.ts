/** `npm start`: finds or makes an engine, then lets the program build its main example there. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openBucket } from './bucket.js';
import { DEFAULT_ENGINE } from './catalogue.js';
import { ensureEngine } from './engine.js';
import { LabError, messageOf } from './error.js';
import { findEngine, type Rejected } from './find.js';
import { endpointOf, type Endpoint } from './http.js';
import { whatIsMissing } from './packages.js';
import { speaker } from './say.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const say = speaker((line) => process.stderr.write(`${line}\n`), 'start: ');

interface Chosen {
  readonly host: string;
  readonly endpoint: Endpoint;
}

async function main(args: readonly string[]): Promise<number> {
  const begun = performance.now();
  const { host, endpoint } = await chooseEngine();
  await using bucket = await openBucket(endpoint);
  const env = { DOCKER_HOST: host, BUCKET_URL: bucket.url };
  const argv = ['bin/habitus.cjs', '-d', 'examples/iron-mountain', ...args];
  say.line('building the example with this command:');
  say.line(`  ${commandLine(env, ['node', ...argv])}`);
  const code = await runProgram(argv, env);
  for (const upload of bucket.uploads) say.line(`the bucket received ${upload.path}, ${upload.bytes} bytes`);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  say.line(code === 0 ? `done in ${seconds} s` : `the build failed (exit code ${code}) after ${seconds} s`);
  return code;
}

async function chooseEngine(): Promise<Chosen> {
  const search = await findEngine(process.env, say);
  if (search.kind === 'found') {
    const { host, from, endpoint } = search.engine;
    say.line(`using your Docker Engine at ${host} (${from})`);
    return { host, endpoint };
  }
  const problem = await whatIsMissing();
  if (problem !== undefined) throw new LabError(problem.message, advice(search.tried, problem));
  for (const { from, host, why } of search.tried) say.line(`${from} (${host}) ${why}`);
  const { host, socket } = await ensureEngine(DEFAULT_ENGINE, { say });
  say.line(`using the private engine at ${host}; to remove it: npm run engine -- down`);
  return { host, endpoint: endpointOf(host) ?? { kind: 'unix', path: socket } };
}

/** One screen for who has no engine and can get none from the lab. */
function advice(tried: readonly Rejected[], problem: LabError): string {
  return [
    'npm start looked for a Docker Engine:',
    ...tried.map(({ from, host, why }) => `  ${from}: ${host} ${why}`),
    `To go on: ${problem.hint}.`,
    'Who may use sudo on Debian or Ubuntu: sudo npm start makes a private engine that touches nothing else.',
  ].join('\n  ');
}

/** What a user can paste into a shell in the project's folder. */
function commandLine(env: Readonly<Record<string, string>>, argv: readonly string[]): string {
  return [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...argv].join(' ');
}

function runProgram(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn(process.execPath, argv, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  // The terminal sends Ctrl-C to both: this process waits until the program has put everything away.
  const wait = (): void => undefined;
  process.on('SIGINT', wait);
  const pass = (): boolean => child.kill('SIGTERM');
  process.on('SIGTERM', pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGINT', wait).off('SIGTERM', pass);
      resolve(code ?? 1);
    });
  });
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const hint = error instanceof LabError ? `\n  ${error.hint}` : '';
    process.stderr.write(`error: ${messageOf(error)}${hint}\n`);
    process.exitCode = 1;
  },
);
