/** Builds of the fake engine: the few instructions that tests need, told in the same events as by a real one. */
import type { BuilderEvent, BuildRequest } from '../../src/core/ports.js';
import { buildError } from '../../src/engine/failure.js';
import { runShell, type Script } from './fake-shell.js';
import { listAll, readAll, type Member } from './tar.js';

/** A file tree by path without a leading `/`. */
export type Files = ReadonlyMap<string, Member>;

export interface Built {
  readonly files: Files;
  readonly labels: Readonly<Record<string, string>>;
  /** One for each instruction that makes a layer; equal text after equal layers gives an equal one. */
  readonly layers: readonly string[];
}

export interface BuildWorld {
  readonly scripts: ReadonlyMap<string, Script>;
  readonly cache: Set<string>;
  base(reference: string): Built | undefined;
}

const EMPTY: Built = { files: new Map(), labels: {}, layers: [] };

interface Instruction {
  readonly keyword: string;
  readonly rest: string;
  readonly text: string;
}

/** Knows FROM, LABEL, COPY of files and RUN, stages and a target; any other instruction only makes a layer. */
export async function fakeBuild(
  request: BuildRequest,
  world: BuildWorld,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<Built> {
  const instructions = parse(request.dockerfile.toString());
  const stages = new Map<string, Built>();
  let stage = '';
  let built = EMPTY;
  for (const [index, instruction] of instructions.entries()) {
    signal.throwIfAborted();
    if (instruction.keyword === 'FROM') {
      if (stage !== '' && stage === request.target) return built;
      stage = / AS (\S+)$/i.exec(instruction.rest)?.[1] ?? '';
    }
    const id = String(index + 1);
    const text = `[${id}/${instructions.length}] ${instruction.text}`;
    const layer = `${built.layers.at(-1) ?? ''}\n${instruction.text}`;
    const cached = !request.noCache && world.cache.has(layer);
    onEvent({ type: 'instruction', instruction: { state: 'started', id, text } });
    try {
      built = await perform(instruction, built, cached, layer, { request, world, stages, onEvent, signal });
    } catch (error) {
      onEvent({ type: 'instruction', instruction: { state: 'failed', id, text, durationMs: 0 } });
      throw error;
    }
    if (stage !== '') stages.set(stage, built);
    if (instruction.keyword === 'RUN') world.cache.add(layer);
    onEvent({ type: 'instruction', instruction: { state: 'finished', id, text, cached, durationMs: 0 } });
  }
  return built;
}

function parse(dockerfile: string): readonly Instruction[] {
  const lines = dockerfile.split('\n').filter((line) => line.trim() !== '');
  return lines.map((text) => {
    const [, keyword = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
    return { keyword: keyword.toUpperCase(), rest, text };
  });
}

interface Scene {
  readonly request: BuildRequest;
  readonly world: BuildWorld;
  readonly stages: ReadonlyMap<string, Built>;
  readonly onEvent: (event: BuilderEvent) => void;
  readonly signal: AbortSignal;
}

async function perform(
  { keyword, rest, text }: Instruction,
  before: Built,
  cached: boolean,
  layer: string,
  { request, world, stages, onEvent, signal }: Scene,
): Promise<Built> {
  const after = { ...before, layers: [...before.layers, layer] };
  switch (keyword) {
    case 'FROM': {
      const [reference = ''] = rest.split(' ');
      const found = reference === 'scratch' ? EMPTY : (stages.get(reference) ?? world.base(reference));
      if (found === undefined)
        throw buildError({ instruction: text, reason: `${reference} not found`, output: [] });
      return found;
    }
    case 'LABEL': {
      const [key = '', value = ''] = rest.split('=');
      return { ...after, labels: { ...before.labels, [key]: value } };
    }
    case 'COPY': {
      const [source = '', target = ''] = rest.split(' ');
      const copied = await copy(request, source, target, signal);
      onEvent({ type: 'context-sent' });
      if (copied.length === 0) {
        throw buildError({ instruction: text, reason: `"/${source}": not found`, output: [] });
      }
      return { ...after, files: new Map([...before.files, ...copied]) };
    }
    case 'RUN': {
      const output: string[] = [];
      const line = (stream: 'stdout' | 'stderr', said: string): void => {
        output.push(said);
        onEvent({ type: 'output', stream, line: said });
      };
      const exitCode = cached ? 0 : await runShell(rest, world.scripts, { line, signal });
      if (exitCode !== 0) throw buildError({ instruction: text, reason: 'failed', exitCode, output });
      return after;
    }
    default:
      return after;
  }
}

async function copy(
  { context }: BuildRequest,
  source: string,
  target: string,
  signal: AbortSignal,
): Promise<readonly (readonly [string, Member])[]> {
  const from = source.replace(/^\.?\/?|\/$/g, '');
  const root = target.replace(/^\/|\/$/g, '');
  const found: (readonly [string, Member])[] = [];
  for (const entry of await listAll(context.entries(signal))) {
    const inside = from === '' || entry.path.startsWith(`${from}/`);
    if (!inside && entry.path !== from) continue;
    const content = entry.type === 'file' ? await readAll(context.open(entry, signal)) : Buffer.alloc(0);
    const below = inside ? entry.path.slice(from === '' ? 0 : from.length + 1) : basename(entry.path);
    const path = !inside && !target.endsWith('/') ? root : [root, below].filter(Boolean).join('/');
    found.push([path, { entry: { ...entry, path }, content }]);
  }
  return found;
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
