/** Random stacks of layers for property tests, such as any engine can load. */
import fc from 'fast-check';
import type { TarItem } from './image-tar.js';

/** A stack: each layer is the items of its tar, base first. */
export type Stack = readonly (readonly TarItem[])[];

export interface StackOptions {
  /** Whether folders may lack an entry of their own: engines then differ in what they make of it. */
  readonly missingParents: boolean;
}

type Metadata = Pick<TarItem, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs' | 'form'>;

type Thing =
  | { readonly is: 'file'; readonly size: number; readonly meta: Metadata }
  | { readonly is: 'symlink'; readonly target: string; readonly meta: Metadata }
  | { readonly is: 'fifo'; readonly meta: Metadata }
  | { readonly is: 'device'; readonly meta: Metadata }
  /** To an earlier file, symlink or fifo of its layer: `pick` chooses. */
  | { readonly is: 'link'; readonly pick: number; readonly meta: Metadata }
  | { readonly is: 'whiteout' }
  | {
      readonly is: 'folder';
      readonly listed: boolean;
      readonly opaque: boolean;
      readonly children: readonly (readonly [string, Thing])[];
      readonly meta: Metadata;
    };

/** Few, so that layers meet; none is a part of another, so that traces can be looked for. */
export const NAMES = [
  'alpha-qx',
  'beta-qx',
  'gamma qx',
  'delta\xff\xfe\x80qx',
  '\xc3\xa9psilon-qx',
  `long-${'n'.repeat(110)}-qx`,
  `longer-${'m'.repeat(200)}-qx`,
];

/** Mostly the same ones: what happens to a path over several layers is what matters. */
const anyName = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NAMES.slice(0, 2)) },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
);
const mode = fc.constantFrom(0o644, 0o755, 0o4755, 0o2710, 0o1777, 0o600, 0o444);
const owner = fc.constantFrom(0, 1, 33, 1000, 65534);
const mtime = fc.oneof(
  fc.integer({ min: 1, max: 2_000_000_000 }).map(String),
  fc
    .tuple(fc.integer({ min: 1, max: 2_000_000_000 }), fc.integer({ min: 1, max: 999_999 }))
    .map(([seconds, fraction]) => `${seconds}.${String(fraction).padStart(6, '0')}`),
);
const metadata: fc.Arbitrary<Metadata> = fc.record({
  mode,
  uid: owner,
  gid: owner,
  mtime,
  form: fc.constantFrom('pax' as const, 'gnu' as const),
});
const xattrs = fc.constantFrom<Readonly<Record<string, string>>[]>(
  {},
  {},
  { 'user.bytes': '\x00\x80\xff=\n' },
  {
    'security.capability': '\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x80\xff\x00\x00\x00\x00\x00\x00',
  },
);
const capable = fc.tuple(metadata, xattrs).map(([meta, attributes]) => ({ ...meta, xattrs: attributes }));
const attributed = fc
  .tuple(metadata, xattrs)
  .map(([meta, attributes]) => ({ ...meta, ...('user.bytes' in attributes && { xattrs: attributes }) }));

const { thing } = fc.letrec<{ thing: Thing }>((tie) => ({
  thing: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    {
      weight: 4,
      arbitrary: fc.record({
        is: fc.constant('file' as const),
        size: fc.constantFrom(0, 1, 511, 512, 1300),
        meta: capable,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        is: fc.constant('symlink' as const),
        target: fc.constantFrom('alpha-qx', '/gone', '../up', `deep/${'t'.repeat(120)}`),
        meta: metadata,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ is: fc.constantFrom('fifo' as const, 'device' as const), meta: metadata }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ is: fc.constant('link' as const), pick: fc.nat(50), meta: metadata }),
    },
    { weight: 3, arbitrary: fc.constant({ is: 'whiteout' as const }) },
    {
      weight: 8,
      arbitrary: fc.record({
        is: fc.constant('folder' as const),
        listed: fc.boolean(),
        opaque: fc.integer({ max: 4, min: 0 }).map((n) => n === 0),
        children: fc.uniqueArray(fc.tuple(anyName, tie('thing')), {
          selector: ([name]) => name,
          maxLength: 5,
        }),
        meta: attributed,
      }),
    },
  ),
}));

/** Two to six layers over a base of any number of them. */
export function stacks(
  options: StackOptions,
): fc.Arbitrary<{ readonly layers: Stack; readonly baseLayers: number }> {
  const layer = fc.uniqueArray(fc.tuple(anyName, thing), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 5,
  });
  return fc.tuple(fc.array(layer, { minLength: 1, maxLength: 6 }), fc.nat(3)).map(([layers, base]) => ({
    layers: layers.map((children, index) => layerItems(children, index, options)),
    baseLayers: Math.min(base, layers.length - 1),
  }));
}

function layerItems(
  top: readonly (readonly [string, Thing])[],
  layer: number,
  options: StackOptions,
): TarItem[] {
  const items: TarItem[] = [];
  const linkable: TarItem[] = [];
  const place = (path: string, thing: Thing) => {
    switch (thing.is) {
      case 'file': {
        // Every content is unlike every other.
        const text = `<content ${layer}.${items.length}>`;
        const body = Buffer.alloc(thing.size === 0 ? 0 : Math.max(thing.size, text.length), text);
        linkable.push({ name: path, type: '0', body, ...thing.meta });
        items.push(...linkable.slice(-1));
        return;
      }
      case 'symlink':
        items.push({ name: path, type: '2', linkname: thing.target, ...thing.meta });
        return;
      case 'fifo':
        linkable.push({ name: path, type: '6', ...thing.meta });
        items.push(...linkable.slice(-1));
        return;
      case 'device':
        items.push({ name: path, type: '3', device: [1, 3], ...thing.meta });
        return;
      case 'link': {
        const target = linkable[thing.pick % Math.max(1, linkable.length)];
        // Attributes add up on extraction, so a link has those of its target, as in any archive of a real file system.
        const meta = { ...thing.meta, ...(target?.xattrs && { xattrs: target.xattrs }) };
        if (target) items.push({ name: path, type: '1', linkname: target.name, ...meta });
        return;
      }
      case 'whiteout': {
        const slash = path.lastIndexOf('/') + 1;
        items.push({ name: `${path.slice(0, slash)}.wh.${path.slice(slash)}`, type: '0' });
        return;
      }
      case 'folder':
        if (thing.listed || !options.missingParents)
          items.push({ name: `${path}/`, type: '5', ...thing.meta });
        if (thing.opaque) items.push({ name: `${path}/.wh..wh..opq`, type: '0' });
        for (const [name, child] of thing.children) place(`${path}/${name}`, child);
    }
  };
  for (const [name, thing] of top) place(name, thing);
  return items;
}
