import { describe, expect, it } from 'vitest';
import {
  DEBIAN_IMAGE,
  mirrorsOf,
  pathOf,
  proxyOptions,
  rootfsRecipe,
  sourcesOf,
} from '../../src/lab/debian.js';
import { homeOf } from '../../src/lab/layout.js';
import { isDebianLike } from '../../src/lab/packages.js';

describe('mirrorsOf', () => {
  it("finds the archives among all of the machine's sources", () => {
    const targets = [
      'https://deb.example.org/node_20.x/',
      'http://mirror.example.org/debian/',
      'http://mirror.example.org/debian/',
      'http://mirror.example.org/debian-security/',
    ].join('\n');
    expect(mirrorsOf(targets)).toEqual({
      archive: 'http://mirror.example.org/debian',
      security: 'http://mirror.example.org/debian-security',
    });
  });

  it("takes Debian's own where the machine names none, as on Ubuntu", () => {
    expect(mirrorsOf('http://archive.ubuntu.com/ubuntu/\n')).toEqual({
      archive: 'http://deb.debian.org/debian',
      security: 'http://security.debian.org/debian-security',
    });
  });
});

describe('sourcesOf', () => {
  const mirrors = { archive: 'http://a/debian', security: 'http://s/debian-security' };
  it('gives a stable suite its updates', () => {
    expect(sourcesOf('bookworm', mirrors)).toEqual([
      'deb http://a/debian bookworm main',
      'deb http://a/debian bookworm-updates main',
      'deb http://s/debian-security bookworm-security main',
    ]);
  });

  it('gives testing the archive alone', () => {
    expect(sourcesOf('forky', mirrors)).toEqual(['deb http://a/debian forky main']);
  });
});

describe('proxyOptions', () => {
  it('hands on a proxy, and nothing where there is none or an empty one', () => {
    const dump =
      'Acquire::http::Proxy "http://10.0.0.1:3142";\nAcquire::http::Proxy::deb.example.org "DIRECT";\n';
    expect(proxyOptions(dump)).toEqual(['--aptopt=Acquire::http::Proxy "http://10.0.0.1:3142";']);
    expect(proxyOptions('Acquire::http::Proxy "";\n')).toEqual([]);
    expect(proxyOptions('')).toEqual([]);
  });
});

describe('pathOf', () => {
  const home = homeOf({ HABITUS_LAB_CACHE: '/cache' });
  it('names a folder for a root file system and a tar for an image', () => {
    expect(pathOf(home, rootfsRecipe('forky'))).toMatch(/^\/cache\/rootfs-forky-[0-9a-f]{8}$/);
    expect(pathOf(home, DEBIAN_IMAGE)).toMatch(/^\/cache\/debian-bookworm-slim-[0-9a-f]{8}\.tar$/);
  });

  it('changes with the recipe, so that an old result is not taken for a new one', () => {
    const changed = { ...DEBIAN_IMAGE, options: [...DEBIAN_IMAGE.options, '--include=ca-certificates'] };
    expect(pathOf(home, changed)).not.toBe(pathOf(home, DEBIAN_IMAGE));
  });
});

describe('isDebianLike', () => {
  it.each([
    ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n', true],
    ['ID=ubuntu\nID_LIKE=debian\n', true],
    ['ID=pop\nID_LIKE="ubuntu debian"\n', true],
    ['ID=fedora\n', false],
    ['ID="rhel"\nID_LIKE="fedora"\nHOME_URL="https://debian.example.org"\n', false],
    ['', false],
  ])('reads os-release %j: %j', (release, debian) => {
    expect(isDebianLike(release)).toBe(debian);
  });
});
