/** Installs Debian packages on this machine, without any service starting. */

import { readFile, rm, writeFile } from 'node:fs/promises';
import { LabError, hasCode } from './error.js';
import { hasProgram, run, systemEnv } from './exec.js';
import type { Say } from './say.js';

const POLICY = '/usr/sbin/policy-rc.d';
const OURS = '# Put here by the lab of Habitus for the time of one installation.';

/** Why this machine cannot run a private engine; undefined when it can. */
export async function whatIsMissing(): Promise<LabError | undefined> {
  if (process.platform !== 'linux') {
    return new LabError(
      'private Docker engines need Linux',
      'start Docker Desktop, or set DOCKER_HOST to an engine',
    );
  }
  if (process.getuid?.() !== 0) {
    return new LabError(
      'private Docker engines need root',
      'run the same command as root, or set DOCKER_HOST',
    );
  }
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  if (isDebianLike(release)) return undefined;
  return new LabError(
    'private Docker engines are made from Debian packages, and this is neither Debian nor Ubuntu',
    'install Docker (https://docs.docker.com/engine/install/) and start it, or set DOCKER_HOST to an engine',
  );
}

/** Reads `/etc/os-release` (os-release(5)). */
export function isDebianLike(release: string): boolean {
  const ids = [...release.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].flatMap((match) =>
    (match[1] ?? '').replaceAll(/["']/g, '').split(' '),
  );
  return ids.includes('debian') || ids.includes('ubuntu');
}

/** A program and the package that brings it. */
export interface Tool {
  readonly program: string;
  readonly package: string;
}

/** Installs the packages of those programs that are not there. */
export async function ensureTools(tools: readonly Tool[], why: string, say: Say): Promise<void> {
  const missing: string[] = [];
  for (const tool of tools) {
    if (!(await hasProgram(tool.program))) missing.push(tool.package);
  }
  if (missing.length === 0) return;
  const problem = await whatIsMissing();
  if (problem !== undefined) throw problem;
  await say.timed(`installing ${missing.join(' ')} with apt-get: ${why}`, async () => {
    const env = { ...systemEnv(), DEBIAN_FRONTEND: 'noninteractive' };
    const hint = 'see that `apt-get update` works on this machine';
    await withoutServices(async () => {
      await run(['apt-get', 'update', '-q'], { env, hint });
      await run(['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing], { env, hint });
    });
  });
}

/** While `work` runs, a policy (invoke-rc.d(8)) forbids services to start; an administrator's own policy stays. */
export async function withoutServices(work: () => Promise<void>, policy = POLICY): Promise<void> {
  try {
    await writeFile(policy, `#!/bin/sh\n${OURS}\nexit 101\n`, { flag: 'wx', mode: 0o755 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  try {
    await work();
  } finally {
    // Also one that a killed run of the lab left behind.
    const text = await readFile(policy, 'utf8').catch(() => '');
    if (text.includes(OURS)) await rm(policy, { force: true });
  }
}
