/**
 * Starts dockerd in mount and process namespaces of its own: it sees a root file system that it may write into without
 * a trace, its mounts are nobody else's, and everything in there ends with its first process.
 */

import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Block } from './address.js';
import { LabError } from './error.js';
import { lastLines, systemEnv } from './exec.js';
import { answers } from './http.js';
import type { Layout } from './layout.js';
import { identify, isAlive, killNamespace, type ProcessId } from './processes.js';

export interface Launch {
  readonly layout: Layout;
  /** The root file system that dockerd comes from; `/` for the host's own. It stays unchanged. */
  readonly lower: string;
  readonly block: Block;
  readonly mtu: number;
  readonly flags: readonly string[];
}

const READY_MS = 60_000;

/**
 * Arguments: root's mount point, lower, run folder, data folder, then the command. A plain chroot is not enough, as runc
 * has to remount `/`. /tmp is the host's, so that `docker run -v /tmp/x:/x` means what it says. The shell stays as the
 * namespace's first process: it collects the orphans that containerd's shims leave.
 */
const INSIDE = `
set -eu
root=$1 lower=$2 run=$3 data=$4
shift 4
mount --make-rprivate /
mount -t tmpfs -o mode=755 habitus-lab "$root"
mkdir "$root/upper" "$root/work" "$root/all"
mount -t overlay -o "lowerdir=$lower,upperdir=$root/upper,workdir=$root/work" habitus-lab "$root/all"
all=$root/all
for file in /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
  if [ -e "$file" ] && [ "$lower" != / ]; then cat "$file" > "$all$file"; fi
done
resolv=/etc/resolv.conf
if [ -e /run/systemd/resolve/resolv.conf ]; then resolv=/run/systemd/resolve/resolv.conf; fi
if [ -e "$resolv" ]; then
  cp "$resolv" "$root/resolv.conf"
  rm -f "$all/etc/resolv.conf"
  cp "$root/resolv.conf" "$all/etc/resolv.conf"
fi
mount -t proc proc "$all/proc"
mount --rbind /sys "$all/sys"
mount --rbind /dev "$all/dev"
mount --bind /tmp "$all/tmp"
mount -t tmpfs -o mode=755 tmpfs "$all/run"
mkdir -p "$all$run" "$all/var/lib/docker" "$all/run/lab-old-root"
mount --bind "$run" "$all$run"
mount --bind "$data" "$all/var/lib/docker"
cd "$all"
pivot_root . run/lab-old-root
cd /
umount -l /run/lab-old-root
rmdir /run/lab-old-root
"$@" &
wait $!
`;

/** Starts the engine and resolves when it answers. What an earlier, dead one left in its run folder is removed first. */
export async function launch(options: Launch): Promise<void> {
  const { layout } = options;
  await rm(layout.run, { recursive: true, force: true });
  for (const dir of [layout.run, layout.data, layout.root]) await mkdir(dir, { recursive: true });
  // dockerd would read the configuration of the machine's own Docker otherwise.
  await writeFile(configOf(layout), '{}\n');
  const log = await open(layout.log, 'w');
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
  const script = ['/bin/sh', '-c', INSIDE, 'lab', layout.root, options.lower, layout.run, layout.data];
  const child = spawn('unshare', [...unshare, ...script, 'dockerd', ...flagsOf(options)], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: engineEnv(),
    cwd: '/',
  });
  const spawned = new Promise<void>((resolve, reject) => {
    child.once('error', reject).once('spawn', resolve);
  });
  await spawned.finally(() => log.close());
  child.unref();
  const id = child.pid === undefined ? undefined : await identify(child.pid);
  if (id === undefined) throw await failure(layout, 'ended at once');
  await untilReady(layout, id);
}

const configOf = (layout: Layout): string => join(layout.run, 'daemon.json');

export function flagsOf({ layout, block, mtu, flags }: Launch): readonly string[] {
  return [
    `--config-file=${configOf(layout)}`,
    '--data-root=/var/lib/docker',
    `--exec-root=${layout.run}/exec`,
    `--pidfile=${layout.run}/docker.pid`,
    `--host=${layout.host}`,
    // A group's number may be another group's on the host.
    '--group=root',
    `--bridge=${layout.bridge}`,
    `--default-address-pool=base=${block.pool},size=26`,
    `--mtu=${mtu}`,
    '--iptables=false',
    '--ip6tables=false',
    '--exec-opt=native.cgroupdriver=cgroupfs',
    `--cgroup-parent=/${layout.mark}`,
    ...flags,
  ];
}

/** Only what an engine should know of its caller: where programs are, and the way to the network. */
function engineEnv(): NodeJS.ProcessEnv {
  const proxies = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
  const names = ['PATH', ...proxies];
  const all = systemEnv();
  return {
    HOME: '/root',
    ...Object.fromEntries(names.flatMap((name) => (all[name] ? [[name, all[name]]] : []))),
  };
}

async function untilReady(layout: Layout, id: ProcessId): Promise<void> {
  const until = Date.now() + READY_MS;
  while (Date.now() < until) {
    if (await answers({ kind: 'unix', path: layout.socket })) return;
    if (!(await isAlive(id))) throw await failure(layout, 'ended while starting');
    await sleep(100);
  }
  const error = await failure(layout, `did not answer within ${READY_MS / 1000} seconds`);
  await killNamespace(id);
  throw error;
}

async function failure(layout: Layout, what: string): Promise<LabError> {
  return new LabError(
    `engine "${layout.name}" ${what}:\n${lastLines(await readFile(layout.log, 'utf8'), 8)}`,
    `its whole log is ${layout.log}`,
  );
}
