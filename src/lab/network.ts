/**
 * An engine's bridge and its way out. dockerd runs with `--iptables=false`, so that it never touches the chains of
 * another Docker; the three rules it needs are made here, marked by a comment, and found again by it.
 */

import { readFile, rm, writeFile } from 'node:fs/promises';
import { blockOf, chooseBlock, isInside, type Block } from './address.js';
import { LabError } from './error.js';
import { attempt, hasProgram, run } from './exec.js';
import type { Layout } from './layout.js';

/** Written when the lab switched forwarding on; outside of every home, as forwarding belongs to the machine. */
const FORWARD_MARK = '/run/habitus-lab.forwarding';
const FORWARD = '/proc/sys/net/ipv4/ip_forward';

interface Link {
  readonly ifname: string;
  readonly mtu?: number;
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

interface Route {
  readonly dst: string;
  readonly dev?: string;
  readonly gateway?: string;
}

/** How iptables is called: the host's, or the one of a root file system. */
export type Iptables = readonly [string, ...string[]];

export async function findIptables(rootfs: string | undefined): Promise<Iptables | undefined> {
  if (await hasProgram('iptables')) return ['iptables', '-w'];
  return rootfs === undefined ? undefined : ['chroot', rootfs, '/usr/sbin/iptables', '-w'];
}

const ipJson = async <T>(...args: readonly string[]): Promise<readonly T[]> =>
  JSON.parse((await run(['ip', '-j', ...args])) || '[]') as readonly T[];

/** A block for a new engine, clear of the machine's routes, addresses and name servers. */
export async function freeBlock(layout: Layout): Promise<Block> {
  const routes = await ipJson<Route>('-4', 'route', 'show', 'table', 'all');
  const links = await ipJson<Link>('-4', 'addr');
  const resolvers = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const used = [
    ...routes.flatMap((route) => [route.dst, route.gateway ?? '']),
    ...links.flatMap((link) => (link.addr_info ?? []).map((a) => `${a.local ?? ''}/${a.prefixlen ?? 32}`)),
    ...[...resolvers.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? ''),
  ];
  const block = chooseBlock(layout.mark, used);
  if (block !== undefined) return block;
  throw new LabError(
    'no part of 10.0.0.0/8 is free for a network',
    'stop an engine: npm run engine -- down NAME',
  );
}

/** The largest packet that leaves the machine whole; networks above it lose packets silently. */
export async function outgoingMtu(): Promise<number> {
  const [route] = await ipJson<Route>('-4', 'route', 'show', 'default');
  if (route?.dev === undefined) return 1500;
  const [link] = await ipJson<Link>('link', 'show', 'dev', route.dev);
  return link?.mtu ?? 1500;
}

/** Makes what is missing of bridge, rules and forwarding. */
export async function connectNetwork(
  layout: Layout,
  block: Block,
  mtu: number,
  iptables: Iptables,
): Promise<void> {
  const links = await ipJson<Link>('link', 'show', 'type', 'bridge');
  if (!links.some((link) => link.ifname === layout.bridge)) {
    await run(['ip', 'link', 'add', layout.bridge, 'type', 'bridge']);
  }
  await run(['ip', 'addr', 'replace', block.bridge, 'dev', layout.bridge]);
  await run(['ip', 'link', 'set', layout.bridge, 'mtu', String(mtu), 'up']);
  await removeRules(layout.mark, iptables);
  const comment = ['-m', 'comment', '--comment', layout.mark];
  const rule = (...args: readonly string[]): Promise<string> => run([...iptables, ...args, ...comment]);
  await rule('-t', 'nat', '-A', 'POSTROUTING', '-s', block.all, '!', '-d', block.all, '-j', 'MASQUERADE');
  // First in the chain: another Docker or a firewall may have set its policy to DROP.
  await rule('-I', 'FORWARD', '-s', block.all, '-j', 'ACCEPT');
  await rule('-I', 'FORWARD', '-d', block.all, '-j', 'ACCEPT');
  if ((await readFile(FORWARD, 'utf8')).trim() === '0') {
    await writeFile(FORWARD_MARK, 'the lab of Habitus switched net.ipv4.ip_forward on\n');
    await writeFile(FORWARD, '1');
  }
}

/** Removes rules, the bridge, and the bridges of networks that were made in the engine. */
export async function disconnectNetwork(layout: Layout, iptables: Iptables | undefined): Promise<void> {
  if (iptables !== undefined) await removeRules(layout.mark, iptables);
  if (!(await hasProgram('ip'))) return;
  const links = await ipJson<Link>('addr', 'show', 'type', 'bridge');
  const main = links.find((link) => link.ifname === layout.bridge);
  const block = addresses(main)
    .map(blockOf)
    .find((found) => found !== undefined);
  const ours = links.filter(
    (link) => link === main || (block && addresses(link).some((address) => isInside(block, address))),
  );
  for (const link of ours) await attempt(['ip', 'link', 'delete', link.ifname]);
  if (ours.length === links.length) await stopForwarding();
}

const addresses = (link: Link | undefined): readonly string[] =>
  (link?.addr_info ?? []).flatMap(({ local }) => (local?.includes('.') ? [local] : []));

/** Back to how it was, when no bridge is left that could need it. */
async function stopForwarding(): Promise<void> {
  const switchedOn = await readFile(FORWARD_MARK, 'utf8').catch(() => undefined);
  if (switchedOn === undefined) return;
  await writeFile(FORWARD, '0');
  await rm(FORWARD_MARK, { force: true });
}

async function removeRules(mark: string, iptables: Iptables): Promise<void> {
  for (const table of ['nat', 'filter']) {
    const rules = await run([...iptables, '-t', table, '-S']);
    for (const args of deletions(rules, mark)) await run([...iptables, '-t', table, ...args]);
  }
}

/** The arguments that delete each rule of an `iptables -S` listing which bears this mark. */
export function deletions(listing: string, mark: string): readonly (readonly string[])[] {
  return listing
    .split('\n')
    .map((line) => line.replaceAll('"', '').split(' '))
    .filter((words) => words[0] === '-A' && words[words.indexOf('--comment') + 1] === mark)
    .map((words) => ['-D', ...words.slice(1)]);
}
