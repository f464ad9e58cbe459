/** Random edits of a project between builds, as plain data: what a developer's tools do to files, settings and images. */
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
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

interface Choices {
  /** One of FOLDERS, and one of what is in it; each modulo how many there are. */
  readonly folder: number;
  readonly path: number;
  readonly value: number;
}

export interface FileEdit extends Choices {
  readonly kind: (typeof FILE_EDITS)[number];
}

export interface OtherEdit extends Choices {
  readonly kind: (typeof OTHER_EDITS)[number];
}

export type Edit = FileEdit | OtherEdit;

export interface Round {
  readonly edits: readonly Edit[];
  /** Happens while the steps are being built. */
  readonly meanwhile: FileEdit | undefined;
}

const KINDS = [...FILE_EDITS, ...OTHER_EDITS];
const number = fc.nat(1_000);
const choices = { folder: number, path: number, value: number };
const round = fc.record({
  first: fc.record(choices),
  // Mostly alone: what one edit should have caused must not be done for another.
  more: fc.option(fc.record({ ...choices, kind: fc.constantFrom(...KINDS) }), { freq: 1 }),
  meanwhile: fc.option(fc.record({ ...choices, kind: fc.constantFrom(...FILE_EDITS) }), { freq: 1 }),
  chance: fc.nat(5),
});

/** The same seed gives the same rounds. Every kind of edit comes before any comes again. */
export function roundsOf(seed: number, count: number): readonly Round[] {
  const times = Math.ceil(count / KINDS.length);
  const shuffled = fc.shuffledSubarray(KINDS, { minLength: KINDS.length });
  const kinds = fc.sample(shuffled, { seed, numRuns: times }).flat();
  return fc.sample(round, { seed, numRuns: count }).map(({ first, more, meanwhile, chance }, index) => ({
    edits: [{ ...first, kind: pick(kinds, index) }, ...(chance < 2 && more !== null ? [more] : [])],
    meanwhile: chance === 2 && meanwhile !== null ? meanwhile : undefined,
  }));
}

/** @returns the steps whose own inputs may be others now */
export async function apply(
  edit: Edit,
  project: FingerprintProject,
  builder: Builder,
): Promise<readonly Label[]> {
  if (isFileEdit(edit)) return editFile(edit, project.given.directory, builder);
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
      await project.set({ copy: next(settings.copy, project.copies) });
      return ['maker'];
    case 'place':
      await project.set({ place: next(settings.place, VARIANTS.place) });
      // Artifacts are in the contexts of all that depend on their step.
      return ['taker', 'onbase'];
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

function isFileEdit(edit: Edit): edit is FileEdit {
  return FILE_EDITS.some((kind) => kind === edit.kind);
}

/** Short, and some as long as others: then only content tells them apart. */
const CONTENTS = ['first', 'other', 'third', 'a longer one', ''];
const FILE_MODES = [0o644, 0o600, 0o755, 0o444, 0o4755];
const FOLDER_MODES = [0o755, 0o700, 0o1777];
const NAMES = ['a', 'b', 'ab', 'with space', 'sub/a', 'sub/b', 'sub/deep/a'];
const TARGETS = ['a', 'b', 'nowhere', '/base', '..'];
const IGNORED = [
  'files/a\n',
  '**/b\n',
  'files/[ab]\n!files/b\n',
  '*\n!files/b\n!in\n',
  'files/*\n!files/a*\n',
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
    else writeFileSync(file, otherThan(textOf(file), IGNORED, value));
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
      writeFileSync(file, otherThan(textOf(file), CONTENTS, value));
      break;
    case 'write keeping the time':
      writeFileSync(file, otherThan(textOf(file), CONTENTS, value));
      setTime(file, builder === 'classic' ? LONG_AGO : otherTime());
      break;
    case 'replace':
      writeFileSync(`${file}~`, otherThan(textOf(file), CONTENTS, value));
      renameSync(`${file}~`, file);
      break;
    case 'mode':
      if (!lstatSync(any).isDirectory()) chmodSync(any, otherThan(modeOf(any), FILE_MODES, value));
      else if (builder === 'classic') chmodSync(any, otherThan(modeOf(any), FOLDER_MODES, value));
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

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function modeOf(path: string): number {
  return lstatSync(path).mode & 0o7777;
}

function otherThan<T>(now: T, from: readonly T[], index: number): T {
  const others = from.filter((one) => one !== now);
  return pick(others, index);
}

function setTime(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds);
}

function pick<T>(from: readonly T[], index: number): T {
  const found = from[index % from.length];
  if (found === undefined) throw new Error('nothing to choose from');
  return found;
}
