/** Tar archives for tests, written field by field: PAX or GNU long names, and whatever a test needs to be wrong. */

export interface TarItem {
  /** latin1. */
  readonly name: string;
  /** Type flag. */
  readonly type: '0' | '1' | '2' | '3' | '4' | '5' | '6' | 'S' | 'Z';
  readonly body?: Buffer;
  readonly linkname?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds, may have a fraction: then PAX has it. */
  readonly mtime?: string;
  /** Names and values as latin1. */
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly device?: readonly [number, number];
  /** How a long name is written; `ustar` splits it at its last slash. */
  readonly form?: 'pax' | 'gnu' | 'ustar';
}

export const END = Buffer.alloc(1024);

export function tar(items: readonly TarItem[], end: Buffer = END): Buffer {
  return Buffer.concat([...items.map(tarItem), end]);
}

export function tarItem(item: TarItem): Buffer {
  const { name, linkname = '', mtime = '0', xattrs = {}, body = Buffer.alloc(0) } = item;
  const blocks: Buffer[] = [];
  const records = Object.entries(xattrs).map(([key, value]) => record(`SCHILY.xattr.${key}`, value));
  if (mtime.includes('.')) records.push(record('mtime', mtime));
  if (item.form === 'gnu') {
    if (name.length > 100) blocks.push(withBody('././@LongLink', 'L', Buffer.from(`${name}\0`, 'latin1')));
    if (linkname.length > 100)
      blocks.push(withBody('././@LongLink', 'K', Buffer.from(`${linkname}\0`, 'latin1')));
  } else if (item.form !== 'ustar') {
    if (name.length > 100) records.push(record('path', name));
    if (linkname.length > 100) records.push(record('linkpath', linkname));
  }
  // As Go and GNU tar do: the name of the entry is in that of its PAX block.
  const own = `PaxHeaders.0/${name.replace(/\/$/, '').split('/').pop() ?? ''}`.slice(0, 100);
  if (records.length > 0) blocks.push(withBody(own, 'x', Buffer.from(records.join(''), 'latin1')));
  blocks.push(header(item, body.length), pad(body));
  return Buffer.concat(blocks);
}

function withBody(name: string, type: string, body: Buffer): Buffer {
  return Buffer.concat([header({ name, type }, body.length), pad(body)]);
}

function header(item: Omit<TarItem, 'type'> & { readonly type: string }, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  const slash = item.form === 'ustar' ? item.name.lastIndexOf('/') : -1;
  block.write(item.name.slice(slash + 1, slash + 101), 0, 'latin1');
  if (slash !== -1) block.write(item.name.slice(0, slash), 345, 'latin1');
  octal(item.mode ?? 0o644, 100, 7);
  octal(item.uid ?? 0, 108, 7);
  octal(item.gid ?? 0, 116, 7);
  octal(size, 124, 11);
  octal(Math.floor(Number(item.mtime ?? '0')), 136, 11);
  block.write(item.type, 156, 'latin1');
  block.write((item.linkname ?? '').slice(0, 100), 157, 'latin1');
  block.write(item.form === 'gnu' ? 'ustar  \0' : 'ustar\x0000', 257, 'latin1');
  if (item.device) {
    octal(item.device[0], 329, 7);
    octal(item.device[1], 337, 7);
  }
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}

function pad(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
