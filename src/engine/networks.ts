/** Networks of RUN: where the engine's host is, as seen from there. */
import { isIPv4 } from 'node:net';
import type { Transport } from './transport.js';

/** The parts of the Engine API's network inspect that are read. */
interface InspectedNetwork {
  readonly Driver?: string;
  readonly IPAM?: {
    readonly Config?: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null;
  } | null;
}

/** See `Engine.gateway`. @throws EngineError of status 404 where there is no such network */
export async function gateway(
  transport: Transport,
  network: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (network === 'host') return '127.0.0.1';
  if (network === 'none' || network.startsWith('container:')) return undefined;
  const name = network === 'default' ? 'bridge' : network;
  const answer = await transport.json({
    method: 'GET',
    path: `/networks/${name}`,
    signal,
    purpose: `describe the network ${name}`,
  });
  return hostAddress(answer as InspectedNetwork);
}

/** Only of bridges: in networks of other drivers the gateway is another machine. */
export function hostAddress({ Driver: driver, IPAM: ipam }: InspectedNetwork): string | undefined {
  if (driver !== 'bridge') return undefined;
  const addresses = (ipam?.Config ?? []).flatMap(
    ({ Gateway: address, Subnet: subnet }) => address?.replace(/\/\d+$/, '') || firstOf(subnet) || [],
  );
  return addresses.find(isIPv4) ?? addresses[0];
}

/** The first usable address of an IPv4 subnet, which a bridge takes where none is told. */
function firstOf(subnet = ''): string | undefined {
  const [address = '', length = ''] = subnet.split('/');
  if (!isIPv4(address) || !/^\d+$/.test(length) || Number(length) > 30) return undefined;
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(number / size) * size + 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
}
