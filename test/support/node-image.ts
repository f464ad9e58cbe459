/** A Node image where no registry has one: Debian, with the Node and npm that run the tests. */
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { atEnd } from './build-cleanup.js';

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

export const NODE_IMAGE = 'habitus.invalid/node';

/** A project that builds {@link NODE_IMAGE}; npm in it reaches the registry as the machine's npm does. */
export async function nodeImageProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'habitus-node-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  await copyFile(process.execPath, join(folder, 'node'));
  await cp(await npmFolder(), join(folder, 'npm'), { recursive: true, dereference: true });
  const registry = await npmSays('config', 'get', 'registry');
  await mkdir(join(folder, 'certs'));
  const certified = await copyFile(CERTIFICATES, join(folder, 'certs/ca-certificates.crt')).then(
    () => true,
    () => false,
  );
  const certificates = [`ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`, `ENV npm_config_cafile=${CERTIFICATES}`];
  const dockerfile = [
    'FROM debian:bookworm-slim',
    'COPY node /usr/local/bin/node',
    'COPY npm /usr/local/lib/node_modules/npm',
    'COPY certs /etc/ssl/certs',
    'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
    `ENV npm_config_registry=${registry}`,
    ...(certified ? certificates : []),
    '',
  ];
  await writeFile(join(folder, 'Dockerfile'), dockerfile.join('\n'));
  const steps = `{ node: { name: ${NODE_IMAGE} } }`;
  await writeFile(join(folder, 'build.yml'), `build: { version: 2016-03-14, steps: ${steps} }\n`);
  return folder;
}

/** The folder of the npm on PATH, with everything that it needs. */
async function npmFolder(): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', 'command -v npm']);
  // npm/bin/npm-cli.js
  return dirname(dirname(await realpath(stdout.trim())));
}

async function npmSays(...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)('npm', args)).stdout.trim();
}
