/** Gets the peers, which are packages of Debian testing, into a folder of the lab's cache. */
import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { make } from '../../../dist/lab/debian.js';
import { attempt } from '../../../dist/lab/exec.js';
import { homeOf } from '../../../dist/lab/layout.js';
import { withLock } from '../../../dist/lab/lock.js';
import { aloud } from '../../../dist/lab/say.js';

const RECIPE = {
  name: 'bench-peers',
  kind: 'folder',
  why: 'the benchmark runs its peers from there',
  suite: 'forky',
  options: [
    '--variant=extract',
    '--include=docker-cli,docker-buildx,docker-compose,buildah,netavark,base-files,busybox-static,dash',
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/man/*',
  ],
};
const PLUGINS = 'usr/libexec/docker/cli-plugins';

/** @returns the folder: Debian's root, whose statically built or plain programs run on this machine, too */
export async function getPeers() {
  const onWait = (holder) => aloud.line(`waiting for ${holder}`);
  return withLock({ purpose: 'the benchmark gets its peers', onWait }, async () => {
    const root = await make(homeOf(process.env), RECIPE, aloud);
    // Packages that are only unpacked have no users; buildah asks who it is.
    if (!existsSync(join(root, 'etc/passwd'))) {
      writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
      writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
    }
    return root;
  });
}

export const dockerOf = (root) => join(root, 'usr/bin/docker');

/** Links the plugins where the Docker command line looks for them. */
export function linkPlugins(root, folder) {
  for (const name of readdirSync(join(root, PLUGINS)))
    symlinkSync(join(root, PLUGINS, name), join(folder, name));
}

/** @returns the versions, by the peer's name */
export async function versionsOf(root) {
  const asked = {
    docker: [dockerOf(root), '--version'],
    bake: [join(root, PLUGINS, 'docker-buildx'), 'version'],
    compose: [join(root, PLUGINS, 'docker-compose'), 'version', '--short'],
    buildah: ['chroot', root, '/usr/bin/buildah', '--version'],
  };
  const versions = {};
  for (const [name, argv] of Object.entries(asked)) {
    const { stdout } = await attempt(argv);
    versions[name] = /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown';
  }
  return versions;
}
