/** Which address of a network is the engine's host. */
import { describe, expect, it } from 'vitest';
import { hostAddress } from '../../src/engine/networks.js';

describe('the host of a network', () => {
  const bridge = (...config: { Subnet?: string; Gateway?: string }[]) =>
    hostAddress({ Driver: 'bridge', IPAM: { Config: config } });

  it.each([
    [[{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.9' }], '172.17.0.9'],
    [[{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.9/16' }], '172.17.0.9'],
    [[{ Subnet: '172.17.0.0/16' }], '172.17.0.1'],
    [[{ Subnet: '172.17.5.77/20', Gateway: '' }], '172.17.0.1'],
    [[{ Subnet: '10.255.255.252/30' }], '10.255.255.253'],
    [[{ Subnet: 'fd00::/64', Gateway: 'fd00::1' }, { Subnet: '10.1.0.0/24' }], '10.1.0.1'],
    [[{ Subnet: 'fd00::/64', Gateway: 'fd00::1' }], 'fd00::1'],
    [[{ Subnet: '10.0.0.0/31' }], undefined],
    [[{ Subnet: 'nonsense' }], undefined],
    [[{}], undefined],
    [[], undefined],
  ])('with %j is %s', (config, address) => {
    expect(bridge(...config)).toBe(address);
  });

  it('is unknown where the gateway is another machine, or nothing is told', () => {
    const ipam = { Config: [{ Gateway: '192.168.0.1' }] };
    expect(hostAddress({ Driver: 'macvlan', IPAM: ipam })).toBeUndefined();
    expect(hostAddress({ Driver: 'bridge', IPAM: { Config: null } })).toBeUndefined();
    expect(hostAddress({})).toBeUndefined();
  });
});
