/** What layers make of a file system, the slow and obvious way: objects in memory, one layer after the other. */
import { TarScanner, type RawEntry } from '../../src/tar/raw.js';

/** What hard links share. */
interface Inode {
  type: string;
  mode: number;
  uid: number;
  gid: number;
  mtime: bigint;
  xattrs: string;
  body: string;
  target: string;
  device: string;
}

interface Node {
  inode: Inode;
  readonly children: Map<string, Node>;
}

/** A file system as layers make it. */
export class ReferenceTree {
  readonly #root: Node = { inode: implicitFolder(), children: new Map() };

  apply(layer: Buffer): this {
    const entries = readTar(layer).map((item) => ({ ...item, parts: parts(item.entry.path) }));
    for (const { parts: names } of entries) {
      const base = names.at(-1) ?? '';
      if (!base.startsWith('.wh.')) continue;
      const folder = this.#folder(names.slice(0, -1));
      if (base === '.wh..wh..opq') folder.children.clear();
      else if (!base.startsWith('.wh..wh.')) folder.children.delete(base.slice(4));
    }
    for (const { entry, body, parts: names } of entries) {
      if ((names.at(-1) ?? '').startsWith('.wh.')) continue;
      if (entry.type === '1') this.#link(names, entry);
      else this.#put(names, inodeOf(entry, body));
    }
    return this;
  }

  /** A line for each path, with all that is to be equal; members of a hard-link group name its first path. */
  lines(): string[] {
    const lines: string[] = [];
    const firsts = new Map<Inode, string>();
    const walk = (node: Node, path: string) => {
      const first = firsts.get(node.inode) ?? path;
      firsts.set(node.inode, first);
      const { type, mode, uid, gid, mtime, xattrs, body, target, device } = node.inode;
      const what = [type, mode.toString(8), uid, gid, mtime, xattrs, target, device, body, `=${first}`];
      lines.push(`${path} ${what.join(' ')}`);
      for (const [name, child] of [...node.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
        walk(child, `${path}/${name}`);
      }
    };
    walk(this.#root, '');
    return lines;
  }

  /** Everything in it that has letters, to look for what is not in it any more. */
  text(): string {
    return this.lines().join('\n');
  }

  #put(names: readonly string[], inode: Inode): void {
    if (names.length === 0) {
      this.#root.inode = inode;
      return;
    }
    const folder = this.#folder(names.slice(0, -1));
    const name = names.at(-1) ?? '';
    const old = folder.children.get(name);
    const keeps = old?.inode.type === '5' && inode.type === '5';
    folder.children.set(name, { inode, children: keeps ? old.children : new Map<string, Node>() });
  }

  #link(names: readonly string[], entry: RawEntry): void {
    const target = parts(entry.linkname);
    const node = this.#folder(target.slice(0, -1)).children.get(target.at(-1) ?? '');
    if (!node) throw new Error(`${entry.path} links to ${entry.linkname}, which is not there`);
    const { type, body, target: symlink, device } = node.inode;
    // The link's own metadata is applied to what it shares.
    Object.assign(node.inode, inodeOf(entry, ''), { type, body, target: symlink, device });
    this.#put(names, node.inode);
  }

  #folder(names: readonly string[]): Node {
    let at = this.#root;
    for (const name of names) {
      let next = at.children.get(name);
      if (next?.inode.type !== '5') {
        next = { inode: implicitFolder(), children: new Map() };
        at.children.set(name, next);
      }
      at = next;
    }
    return at;
  }
}

export function readTar(archive: Buffer): { entry: RawEntry; body: string }[] {
  const scanner = new TarScanner();
  const items: { entry: RawEntry; body: string }[] = [];
  for (const event of scanner.feed(archive)) {
    if (event.type === 'entry') items.push({ entry: event.entry, body: '' });
    const last = items.at(-1);
    if (event.type === 'body' && last) last.body += event.bytes.toString('latin1');
  }
  scanner.end();
  return items;
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function inodeOf(entry: RawEntry, body: string): Inode {
  return {
    type: entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtime: entry.mtimeNs,
    xattrs: [...entry.pax]
      .filter(([key]) => key.startsWith('SCHILY.xattr.'))
      .map(([key, value]) => `${key}=${Buffer.from(value, 'latin1').toString('hex')}`)
      .sort()
      .join(','),
    body,
    target: entry.type === '2' ? entry.linkname : '',
    device: `${entry.devMajor}:${entry.devMinor}`,
  };
}

/** What engines make where an archive lacks the entry of a parent. */
function implicitFolder(): Inode {
  return {
    type: '5',
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: 0n,
    xattrs: '',
    body: '',
    target: '',
    device: '0:0',
  };
}
