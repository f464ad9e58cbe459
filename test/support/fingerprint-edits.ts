/** Random edits of a project between builds, as plain data: what a developer's tools do to files, settings and images. */
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import type { Builder } from '../../src/core/ports.js';
import {
  FOLDERS,
  LABELS,
  LONG_AGO,
  VARIANTS,
  type FingerprintProject,
  type Label,
} from './fingerprint-project.js';

const FILE_EDITS = [
  'write',
  'write keeping the time',
  'replace',
  'mode',
  'rename',
  'delete',
  'symlink',
  'hard link',
  'folder',
  'touch',
  'ignore file',
] as const;
const OTHER_EDITS = [
  'flavour',
  'copy',
  'place',
  'target',
  'reduce',
  'keep',
  'no_cache',
  'base',
  'remove image',
] as const;

export interface FileEdit {
  readonly kind: (typeof FILE_EDITS)[number];
  /** One of FOLDERS, and one of what is in it; each modulo how many there are. */
  readonly folder: number;
  readonly path: number;
  readonly value: number;
}

export interface OtherEdit {
  readonly kind: (typeof OTHER_EDITS)[number];
  readonly value: number;
}

export type Edit = FileEdit | OtherEdit;

export interface Round {
  readonly edits: readonly Edit[];
  /** Happens while the steps are being built. */
  readonly meanwhile: FileEdit | undefined;
}

const number = fc.nat(1_000);
const fileEdit = fc.record({
  kind: fc.constantFrom(...FILE_EDITS),
  folder: number,
  path: number,
  value: number,
});
const otherEdit = fc.record({ kind: fc.constantFrom(...OTHER_EDITS), value: number });

export const rounds: fc.Arbitrary<Round> = fc.record({
  edits: fc.array(fc.oneof({ weight: 2, arbitrary: fileEdit }, { weight: 1, arbitrary: otherEdit }), {
    minLength: 1,
    maxLength: 3,
  }),
  meanwhile: fc.option(fileEdit, { freq: 3, nil: undefined }),
});

/** @returns the steps whose own inputs may be others now */
export async function apply(
  edit: Edit,
  project: FingerprintProject,
  builder: Builder,
): Promise<readonly Label[]> {
  if ('folder' in edit) return editFile(edit, project.given.directory, builder);
  const { settings } = project;
  const { value } = edit;
  const next = (now: number, of: readonly unknown[]): number =>
    (now + 1 + (value % (of.length - 1))) % of.length;
  const label = pick(LABELS, value);
  switch (edit.kind) {
    case 'flavour':
      await project.set({ flavour: next(settings.flavour, VARIANTS.flavour) });
      return ['maker'];
    case 'copy':
      await project.set({ copy: next(settings.copy, VARIANTS.copy) });
      return ['maker'];
    case 'place':
      await project.set({ place: next(settings.place, VARIANTS.place) });
      return ['taker'];
    case 'target':
      await project.set({ target: next(settings.target, VARIANTS.target) });
      return ['onbase'];
    case 'reduce':
      await project.set({ reduce: next(settings.reduce, VARIANTS.reduce) });
      return ['small'];
    case 'keep':
      await project.set({ keepsMaker: !settings.keepsMaker });
      return ['maker'];
    case 'no_cache': {
      const others = settings.noCache.filter((one) => one !== label);
      await project.set({ noCache: others.length < settings.noCache.length ? others : [label] });
      return [...settings.noCache, label];
    }
    case 'base': {
      const base = value % 2 === 0 ? 'a' : 'b';
      const bases = { ...settings.bases, [base]: next(settings.bases[base], VARIANTS.base) };
      await project.set({ bases });
      return base === 'a' ? ['maker', 'taker'] : ['small'];
    }
    case 'remove image':
      await project.given.images.remove(project.given.name(label));
      return [label];
  }
}

/** Short, and some as long as others: then only content tells them apart. */
const CONTENTS = ['first', 'other', 'third', 'a longer one', ''];
const FILE_MODES = [0o644, 0o600, 0o755, 0o444, 0o4755];
const FOLDER_MODES = [0o755, 0o700, 0o1777];
const NAMES = ['a', 'b', 'ab', 'with space', 'sub/a', 'sub/b', 'sub/deep/a'];
const TARGETS = ['a', 'b', 'nowhere', '/base', '..'];
const IGNORED = [
  '',
  'files/a\n',
  '**/b\n',
  'files/sub\n!files/sub/a\n',
  '*\n!files\n',
  'in\n',
  'files/*\n!files/[ab]\n',
];

/**
 * Does not wait, so that it can be done at any moment of a build.
 *
 * BuildKit does not fetch a file again whose size, time and mode are those of before, and does not tell its cache of another
 * mode of a folder it has (fsutil: diff_containerd.go, diskwriter.go): what it would not see itself is left out for it.
 */
export function editFile(edit: FileEdit, directory: string, builder: Builder): readonly Label[] {
  const [folder, labels] = pick(Object.entries(FOLDERS), edit.folder);
  const { path, value } = edit;
  if (edit.kind === 'ignore file') {
    const context = dirname(folder);
    const own = context === 'both' ? 'small.df.dockerignore' : 'Dockerfile.dockerignore';
    const file = join(directory, context, path % 3 === 0 ? own : '.dockerignore');
    if (value % 4 === 0) rmSync(file, { force: true });
    else writeFileSync(file, pick(IGNORED, value));
    return context === 'both' ? ['onbase', 'small'] : [pick(labels, 0)];
  }
  editBelow(edit, join(directory, folder), path, value, builder);
  return edit.kind === 'touch' ? [] : labels;
}

let touches = 0;

function editBelow({ kind }: FileEdit, root: string, path: number, value: number, builder: Builder): void {
  const otherTime = (): number => LONG_AGO + ++touches;
  const all = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  const files = all.filter((name) => lstatSync(join(root, name)).isFile());
  const notLinks = all.filter((name) => !lstatSync(join(root, name)).isSymbolicLink());
  const file = join(root, files.length === 0 ? 'a' : pick(files, path));
  const any = join(root, pick([...notLinks, '.'], path));
  /** Free for a new entry. */
  const place = (): string => {
    const name = join(root, pick(NAMES, value));
    mkdirSync(dirname(name), { recursive: true });
    rmSync(name, { recursive: true, force: true });
    return name;
  };
  switch (kind) {
    case 'write':
      writeFileSync(file, pick(CONTENTS, value));
      break;
    case 'write keeping the time':
      writeFileSync(file, pick(CONTENTS, value));
      setTime(file, builder === 'classic' ? LONG_AGO : otherTime());
      break;
    case 'replace':
      writeFileSync(`${file}~`, pick(CONTENTS, value));
      renameSync(`${file}~`, file);
      break;
    case 'mode':
      if (!lstatSync(any).isDirectory()) chmodSync(any, pick(FILE_MODES, value));
      else if (builder === 'classic') chmodSync(any, pick(FOLDER_MODES, value));
      break;
    case 'rename':
      if (!existsSync(file)) break;
      renameSync(file, `${root}~`);
      renameSync(`${root}~`, place());
      break;
    case 'delete':
      if (all.length > 0) rmSync(join(root, pick(all, path)), { recursive: true });
      break;
    case 'symlink':
      symlinkSync(pick(TARGETS, path), place());
      break;
    case 'hard link':
      if (!existsSync(file)) break;
      linkSync(file, `${root}~`);
      renameSync(`${root}~`, place());
      break;
    case 'folder':
      mkdirSync(place());
      break;
    case 'touch':
      setTime(any, otherTime());
      break;
    case 'ignore file':
      break;
  }
}

function setTime(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds);
}

function pick<T>(from: readonly T[], index: number): T {
  const found = from[index % from.length];
  if (found === undefined) throw new Error('nothing to choose from');
  return found;
}
