import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { engineName } from '../../src/lab/catalogue.js';
import { flagsOf } from '../../src/lab/launch.js';
import { homeOf, layoutOf } from '../../src/lab/layout.js';

describe('homeOf', () => {
  it('is one place for the machine by default, so that clones share it', () => {
    expect(homeOf({})).toEqual({
      path: '/var/lib/habitus-lab',
      run: '/run/habitus-lab',
      cache: '/var/lib/habitus-lab/cache',
    });
  });

  it('follows HABITUS_LAB_HOME, its sockets into a folder with a short name', () => {
    const home = homeOf({ HABITUS_LAB_HOME: '/srv/lab/' });
    expect(home.path).toBe('/srv/lab');
    expect(home.run).toMatch(/^\/run\/habitus-lab-[0-9a-f]{8}$/);
    expect(home.cache).toBe('/srv/lab/cache');
  });

  it('borrows the cache that HABITUS_LAB_CACHE names', () => {
    const home = homeOf({ HABITUS_LAB_HOME: '/srv/lab', HABITUS_LAB_CACHE: '/srv/cache' });
    expect(home.cache).toBe('/srv/cache');
  });
});

describe('layoutOf', () => {
  const path = fc
    .string({ minLength: 1, unit: fc.constantFrom('a', 'b', '/', '.', ' ') })
    .map((text) => `/${text}`);

  it('keeps names within what the kernel allows, however long the home is', () => {
    fc.assert(
      fc.property(path, fc.constantFrom('start', 'e28c'), (home, name) => {
        const layout = layoutOf(homeOf({ HABITUS_LAB_HOME: home.repeat(20) }), name);
        expect(layout.bridge.length).toBeLessThanOrEqual(15);
        expect(`${layout.run}/exec/containerd/containerd-debug.sock.ttrpc`.length).toBeLessThanOrEqual(107);
      }),
    );
  });

  it('gives two homes nothing in common', () => {
    const a = layoutOf(homeOf({ HABITUS_LAB_HOME: '/a' }), 'e28');
    const b = layoutOf(homeOf({ HABITUS_LAB_HOME: '/b' }), 'e28');
    const c = layoutOf(homeOf({ HABITUS_LAB_HOME: '/b' }), 'e28c');
    for (const key of ['dir', 'data', 'state', 'run', 'socket', 'host', 'bridge', 'mark'] as const) {
      expect(new Set([a[key], b[key], c[key]]).size).toBe(3);
    }
  });
});

describe('flagsOf', () => {
  it("keeps dockerd to the engine's own files, bridge and control groups, and away from iptables", () => {
    const layout = layoutOf(homeOf({}), 'e28c');
    const block = { all: '10.64.0.0/18', bridge: '10.64.0.1/19', pool: '10.64.32.0/19' };
    const flags = flagsOf({ layout, lower: '/', block, mtu: 1400, flags: ['--feature=x=true'] });
    expect(flags).toEqual([
      '--config-file=/run/habitus-lab/e28c/daemon.json',
      '--data-root=/var/lib/docker',
      '--exec-root=/run/habitus-lab/e28c/exec',
      '--pidfile=/run/habitus-lab/e28c/docker.pid',
      '--host=unix:///run/habitus-lab/e28c/docker.sock',
      '--group=root',
      `--bridge=${layout.bridge}`,
      '--default-address-pool=base=10.64.32.0/19,size=26',
      '--mtu=1400',
      '--iptables=false',
      '--ip6tables=false',
      '--exec-opt=native.cgroupdriver=cgroupfs',
      `--cgroup-parent=/${layout.mark}`,
      '--feature=x=true',
    ]);
  });
});

describe('engineName', () => {
  it('refuses a name it does not know, and lists those it knows', () => {
    expect(() => engineName('e99')).toThrow(
      expect.objectContaining({
        message: 'there is no engine named "e99"',
        hint: 'name one of start, e20, e28, e28c',
      }),
    );
    expect(engineName('e28c')).toBe('e28c');
  });
});
