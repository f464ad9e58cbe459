/** Lays the layers of an image over each other: what each path has come to, and which entry won. */
import { EntryTable } from './entry-table.js';
import { layerError, type LayerProblem } from './errors.js';
import type { LayerLog } from './layer-log.js';
import { quoted, printable } from './names.js';
import { Overlay } from './overlay.js';
import { PathTree } from './path-tree.js';
import type { ImageArchive } from './spool.js';
import { BLOCK } from '../tar/raw-header.js';

const FOLDER = 0x35;
const HARD_LINK = 0x31;

/** All layers in one tree: what the base has, and what the layers above make of it. */
export interface LayeredTree {
  readonly tree: PathTree;
  readonly base: Overlay;
  readonly upper: Overlay;
  readonly entries: EntryTable;
}

/** @throws ImageError for hard links that lead nowhere */
export function layLayers(archive: ImageArchive): LayeredTree {
  const { layers, baseLayers } = archive;
  const tree = new PathTree();
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  tree.reserve(sum(layers.map(({ log }) => log.count)), sum(layers.map(({ log }) => log.nameBytes)));

  const base = new Overlay(tree);
  for (const { log } of layers.slice(0, baseLayers)) layBase(base, log);

  const upper = new Overlay(tree);
  const above = layers.slice(baseLayers);
  const entries = new EntryTable(sum(above.map(({ log }) => log.count)));
  for (const [index, { diffId, log, start }] of above.entries()) {
    if (start === undefined) throw new Error('A layer above the base was not spooled');
    upper.beginLayer(index);
    const problem = layUpper(upper, tree, entries, log, start / BLOCK);
    if (problem) throw layerError(problem, baseLayers + index + 1, layers.length, diffId);
  }
  return { tree, base, upper, entries };
}

function layBase(overlay: Overlay, log: LayerLog): void {
  layMarks(overlay, log);
  log.forEach(({ kind, path, type }) => {
    if (kind !== 'path') return;
    if (type === FOLDER) overlay.putFolder(path, -1);
    else if (path !== '') overlay.putLeaf(path, -1);
  });
}

function layUpper(
  overlay: Overlay,
  tree: PathTree,
  entries: EntryTable,
  log: LayerLog,
  firstBlock: number,
): LayerProblem | undefined {
  layMarks(overlay, log);
  const firstEntry = entries.size;
  let problem: LayerProblem | undefined;
  log.forEach(({ kind, path, type, target, start, head, body }) => {
    if (kind !== 'path' || problem) return;
    const entry = entries.add({ type, start: firstBlock + start, head, body });
    if (type === FOLDER) {
      overlay.putFolder(path, entry);
      return;
    }
    if (path === '') {
      problem = { trouble: 'hostile-name', text: 'has something else than a folder as the root', entry: '/' };
      return;
    }
    if (type === HARD_LINK) {
      const node = tree.find(target);
      const found = node === undefined ? -1 : overlay.entry(node);
      if (node === undefined || found < firstEntry || overlay.state(node) !== 'leaf') {
        problem = danglingLink(path, target);
        return;
      }
      entries.link(entry, found);
    }
    overlay.putLeaf(path, entry);
  });
  return problem;
}

/** Before the entries: they mean the layers below only. */
function layMarks(overlay: Overlay, log: LayerLog): void {
  log.forEach(({ kind, path }) => {
    if (kind === 'whiteout') overlay.remove(path);
    else if (kind === 'opaque') overlay.hideBelow(path);
  });
}

function danglingLink(path: string, target: string): LayerProblem {
  return {
    trouble: 'corrupt',
    text: `has a hard link ${quoted(path)} to ${quoted(target)}, which is no file before it in that layer`,
    entry: printable(path),
  };
}
