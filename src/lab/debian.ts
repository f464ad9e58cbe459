/** Makes root file systems and base images from Debian packages, once per machine: all engines share them. */

import { createHash } from 'node:crypto';
import { access, chmod, copyFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, enclosed, run, systemEnv } from './exec.js';
import type { Home } from './layout.js';
import { ensureTools } from './packages.js';
import type { Say } from './say.js';

const ARCHIVE = 'http://deb.debian.org/debian';
const SECURITY = 'http://security.debian.org/debian-security';

export type Suite = 'bookworm' | 'forky';

/** Something that mmdebstrap makes: a folder, or a tar. */
export interface Recipe {
  readonly name: string;
  readonly kind: 'folder' | 'tar' | 'busybox-tar';
  readonly why: string;
  readonly suite: Suite;
  readonly options: readonly string[];
}

// Nothing reads them, and dpkg takes longer to unpack them than all the rest.
const SLIM = ['doc', 'man', 'info', 'locale', 'lintian', 'linda', 'groff'].map(
  (dir) => `--dpkgopt=path-exclude=/usr/share/${dir}/*`,
);
// A mirror that is a snapshot of some day has a Release file whose time is over.
const APT = ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Check-Valid-Until "false"'];

export const rootfsRecipe = (suite: Suite): Recipe => ({
  name: `rootfs-${suite}`,
  kind: 'folder',
  why: 'the engine that the tests use comes from it',
  suite,
  options: ['--variant=minbase', '--include=docker.io,iptables,ca-certificates', ...APT, ...SLIM],
});

export const DEBIAN_IMAGE: Recipe = {
  name: 'debian-bookworm-slim',
  kind: 'tar',
  why: 'it is the base image debian:bookworm-slim, and no registry answers',
  suite: 'bookworm',
  options: ['--variant=minbase', ...APT, ...SLIM],
};

export const BUSYBOX_IMAGE: Recipe = {
  name: 'busybox',
  kind: 'busybox-tar',
  why: 'it is the base image busybox:latest, and no registry answers',
  suite: 'bookworm',
  options: ['--variant=extract', '--include=busybox-static', ...APT],
};

/** The archive's address and the security archive's, taken from what apt uses on this machine. */
export interface Mirrors {
  readonly archive: string;
  readonly security: string;
}

/** Reads the output of `apt-get indextargets --format '$(REPO_URI)'`. */
export function mirrorsOf(indexTargets: string): Mirrors {
  const uris = indexTargets.split('\n').map((line) => line.trim().replace(/\/$/, ''));
  return {
    archive: uris.find((uri) => uri.endsWith('/debian')) ?? ARCHIVE,
    security: uris.find((uri) => uri.endsWith('/debian-security')) ?? SECURITY,
  };
}

/** The lines of `sources.list` for a suite; Debian testing has no security updates of its own. */
export function sourcesOf(suite: Suite, mirrors: Mirrors): readonly string[] {
  const main = `deb ${mirrors.archive} ${suite} main`;
  if (suite === 'forky') return [main];
  return [
    main,
    `deb ${mirrors.archive} ${suite}-updates main`,
    `deb ${mirrors.security} ${suite}-security main`,
  ];
}

/** The path of a recipe's result in the cache; its name changes with the recipe. */
export function pathOf(home: Home, recipe: Recipe): string {
  const id = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 8);
  return join(home.cache, `${recipe.name}-${id}${recipe.kind === 'folder' ? '' : '.tar'}`);
}

export const isMade = (home: Home, recipe: Recipe): Promise<boolean> =>
  access(pathOf(home, recipe)).then(
    () => true,
    () => false,
  );

/** Makes the recipe's result unless it is in the cache, and gives its path. The caller holds the lock. */
export async function make(home: Home, recipe: Recipe, say: Say): Promise<string> {
  const path = pathOf(home, recipe);
  if (await isMade(home, recipe)) return path;
  const tools = [{ program: 'mmdebstrap', package: 'mmdebstrap' }];
  await ensureTools(tools, 'it makes root file systems from Debian packages', say);
  return say.timed(`making ${recipe.name} from Debian packages: ${recipe.why}`, async () => {
    await mkdir(home.cache, { recursive: true });
    const partial = `${path}.part`;
    const temporary = `${path}.tmp`;
    await rm(partial, { recursive: true, force: true });
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    try {
      await build(recipe, partial, temporary);
      await rename(partial, path);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return path;
  });
}

async function build(recipe: Recipe, target: string, temporary: string): Promise<void> {
  const targets = await attempt([
    'apt-get',
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
  ]);
  const proxy = await attempt(['apt-config', 'dump', '--format', '%f "%v";%n', 'Acquire::http::Proxy']);
  const options = ['--quiet', '--mode=root', ...recipe.options, ...proxyOptions(proxy.stdout)];
  const env = { ...systemEnv(), TMPDIR: temporary };
  const hint = 'see that this machine reaches a Debian mirror (`apt-get update`), then try again';
  const debian = async (format: 'directory' | 'tar', into: string): Promise<void> => {
    const sources = sourcesOf(recipe.suite, mirrorsOf(targets.stdout));
    const mmdebstrap = ['mmdebstrap', `--format=${format}`, ...options, recipe.suite, into, ...sources];
    await run(enclosed(mmdebstrap), { env, hint });
  };
  switch (recipe.kind) {
    case 'folder':
      return debian('directory', target);
    case 'tar':
      return debian('tar', target);
    case 'busybox-tar': {
      const unpacked = join(temporary, 'unpacked');
      await debian('directory', unpacked);
      await packBusybox(unpacked, join(temporary, 'image'), target);
    }
  }
}

/** The proxy that apt uses here, for the image too: what runs in it has to take the same way. */
export function proxyOptions(aptConfig: string): readonly string[] {
  return aptConfig
    .split('\n')
    .filter((line) => /^Acquire::http::Proxy ".+";$/.test(line))
    .map((line) => `--aptopt=${line}`);
}

const USERS = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n';
const GROUPS = 'root:x:0:\nnogroup:x:65534:\n';

/** Packs a busybox image out of the unpacked package: the program, a link for each applet, and the usual folders. */
async function packBusybox(unpacked: string, image: string, target: string): Promise<void> {
  for (const dir of ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'tmp', 'usr', 'var']) {
    await mkdir(join(image, dir), { recursive: true });
  }
  const program = join(image, 'bin/busybox');
  await copyFile(join(unpacked, 'bin/busybox'), program);
  const applets = (await run([program, '--list'])).split('\n');
  for (const name of applets.filter((applet) => applet !== '' && applet !== 'busybox')) {
    await symlink('busybox', join(image, 'bin', name));
  }
  await chmod(join(image, 'tmp'), 0o1777);
  await writeFile(join(image, 'etc/passwd'), USERS);
  await writeFile(join(image, 'etc/group'), GROUPS);
  await run([
    'tar',
    '--create',
    '--file',
    target,
    '--directory',
    image,
    '--sort=name',
    '--numeric-owner',
    '.',
  ]);
}
