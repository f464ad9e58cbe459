/** The program and its peers: how each one builds a project, and how one looks into what it has built. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, run } from '../../../dist/lab/exec.js';
import { OwnDisk } from './own-disk.js';
import { dockerOf, linkPlugins } from './peers.js';
import { buildahScript, imageOf } from './project.js';

export const HABITUS = [
  process.execPath,
  fileURLToPath(new URL('../../../bin/habitus.cjs', import.meta.url)),
];

/** The environment of all of them: nothing of the caller's settings, memories or credentials. */
export function environment(folder, host) {
  const home = join(folder, 'home');
  const { PATH, TMPDIR } = process.env;
  return {
    PATH,
    ...(TMPDIR !== undefined && { TMPDIR }),
    HOME: home,
    LC_ALL: 'C.UTF-8',
    XDG_CACHE_HOME: join(home, 'cache'),
    DOCKER_CONFIG: join(home, 'docker'),
    ...(host !== undefined && { DOCKER_HOST: host }),
  };
}

/**
 * @param scene `folder` (all that is made for the benchmark lies there), `engine`, `host`, `peers` (their root folder),
 *   `atEnd` (what it is given is called before the folder is removed)
 * @returns by name: `command(project, steps, token)` for measure.js, `look(label, path)` as Engine's, `removeImages()`
 */
export function makeTools({ folder, engine, host, peers, atEnd }) {
  const env = environment(folder, host);
  const plugins = join(env.DOCKER_CONFIG, 'cli-plugins');
  mkdirSync(plugins, { recursive: true });
  linkPlugins(peers, plugins);
  const onEngine = (name, argv) => ({
    name,
    command: (project, _, token) => ({ argv, cwd: project, env: { ...env, BUST: token } }),
    look: (label, path) => engine.look(imageOf(name, label), path),
    removeImages: () => engine.removeImages(),
  });
  return [
    onEngine('habitus', HABITUS),
    onEngine('bake', [dockerOf(peers), 'buildx', 'bake', '-f', 'docker-bake.hcl']),
    onEngine('compose', [dockerOf(peers), 'compose', '-f', 'compose.yaml', 'build']),
    makeBuildah({ folder, env, engine, peers, atEnd }),
  ];
}

/** In the peers' root the benchmark's folder is seen here; an empty folder of Debian's. */
const INSIDE = '/home';

/** In a mount namespace of its own, nothing that it mounts outlives it; buildah asks that `/` is a mount. */
const ENTER = `
set -e
mount --bind "$0" "$0"
mount --rbind /dev "$0/dev"
mount --rbind /sys "$0/sys"
mount -t proc proc "$0/proc"
mount --rbind "$1" "$0${INSIDE}"
mount -t tmpfs tmpfs "$0/run"
exec chroot "$0" /bin/sh "${INSIDE}/$2"
`;

const STORAGE = `[storage]
driver = "overlay"
graphroot = "${INSIDE}/buildah/images"
runroot = "/run/buildah"
`;

const PULL = `buildah pull docker-archive:${INSIDE}/buildah/busybox.tar`;

function makeBuildah({ folder, env, engine, peers, atEnd }) {
  const inside = { PATH: '/usr/sbin:/usr/bin', HOME: `${INSIDE}/buildah`, TMPDIR: `${INSIDE}/buildah` };
  const settings = {
    ...inside,
    LC_ALL: env.LC_ALL,
    CONTAINERS_STORAGE_CONF: `${INSIDE}/buildah/storage.conf`,
  };
  let disk;
  const commandOf = (text, more) => {
    writeFileSync(join(folder, 'buildah/script'), text);
    const argv = disk.enter(['unshare', '--mount', 'sh', '-c', ENTER, peers, folder, 'buildah/script']);
    return { argv, cwd: folder, env: { ...settings, PATH: `${env.PATH}:/usr/sbin:/sbin`, ...more } };
  };
  const shell = async (text) => {
    const { argv, env: its } = commandOf(text);
    return run(argv, { env: its });
  };
  return {
    name: 'buildah',
    async setUp() {
      mkdirSync(join(folder, 'buildah/images'), { recursive: true });
      // Of its own: ext4 makes who makes many files pass one by one over inodes that were freed in the last minutes.
      disk = await OwnDisk.make(join(folder, 'buildah/disk'), join(folder, 'buildah/images'));
      atEnd(() => disk.remove());
      writeFileSync(join(folder, 'buildah/storage.conf'), STORAGE);
      await engine.save('busybox:latest', join(folder, 'buildah/busybox.tar'));
      await shell(PULL);
    },
    command(project, steps, token) {
      return commandOf(buildahScript(steps, join(INSIDE, relative(folder, project))), { BUST: token });
    },
    async look(label, path) {
      const image = imageOf('buildah', label);
      const told = await shell(`
        container=$(buildah from --pull=never ${image})
        root=$(buildah mount "$container")
        busybox stat -c %s "$root${path}"
        busybox head -c 1000 "$root${path}" | busybox base64 -w 0
        buildah rm "$container" > /dev/null
      `);
      const [size, text] = told.trim().split('\n');
      return { size: Number(size), text: Buffer.from(text, 'base64').toString() };
    },
    async removeImages() {
      const { argv, env: its } = commandOf(`buildah rm --all; buildah rmi --all --force; ${PULL}`);
      await attempt(argv, { env: its });
    },
  };
}
