/** What every Engine promises, as tests: the real adapter passes them on each engine, and so does the fake. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineError, StepError } from '../../src/core/errors.js';
import type { Builder, BuilderEvent, BuildRequest, ContainerRequest, Engine } from '../../src/core/ports.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';
import { NEVER, readAll, scan } from './tar.js';

export interface ContractEngine {
  /** Connected, with an image `busybox:latest`. */
  readonly engine: Engine;
  /** Images, named or not, and containers that carry a label `contract=VALUE`. */
  countMarked(value: string): Promise<number>;
}

const PREFIX = '127.0.0.1:1/habitus-contract';

/** Makes the requests of one test, and names that nobody else on the engine uses. */
class Scene {
  readonly id = randomBytes(6).toString('hex');
  readonly tag = `${PREFIX}/${this.id}/image:latest`;
  readonly events: BuilderEvent[] = [];
  readonly onEvent = (event: BuilderEvent): void => {
    this.events.push(event);
  };

  /** The lines get a label by which what they leave is found. */
  build(builder: Builder, lines: readonly string[], more: Partial<BuildRequest> = {}): BuildRequest {
    const [from = '', ...rest] = lines;
    return {
      builder,
      context: memoryFolder(new Map([['hello.txt', Buffer.from('hello\n')]])),
      contextKey: `contract-${this.id}`,
      dockerfile: Buffer.from([from, `LABEL contract=${this.id}`, ...rest, ''].join('\n')),
      tag: this.tag,
      args: {},
      noCache: false,
      network: 'none',
      limits: {},
      removeContainers: true,
      secrets: new Map(),
      ssh: [],
      ...more,
    };
  }

  container(command: readonly string[], more: Partial<ContainerRequest> = {}): ContainerRequest {
    const labels = { contract: this.id };
    return { image: 'busybox:latest', entrypoint: [], command, network: 'none', limits: {}, labels, ...more };
  }

  lines(): string[] {
    return this.events.flatMap((event) => (event.type === 'output' ? [event.line] : []));
  }

  instructions(state: 'started' | 'finished' | 'failed'): string[] {
    return this.events.flatMap((event) =>
      event.type === 'instruction' && event.instruction.state === state ? [event.instruction.text] : [],
    );
  }

  wasCached(end: string): boolean {
    return this.events.some(
      (event) =>
        event.type === 'instruction' &&
        event.instruction.state === 'finished' &&
        event.instruction.cached &&
        event.instruction.text.endsWith(end),
    );
  }
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it succeeded');
}

export function describeEngineContract(
  name: string,
  make: () => Promise<ContractEngine>,
  builders: readonly Builder[],
): void {
  describe(`${name} keeps the contract of an engine`, () => {
    let made: ContractEngine;
    let engine: Engine;

    beforeAll(async () => {
      made = await make();
      engine = made.engine;
    });

    afterAll(async () => {
      await engine.close();
    });

    it('offers the builders that it is known to have', () => {
      expect([...engine.info.builders].sort()).toEqual([...builders].sort());
    });

    describe.each(builders)('building with %s', (builder) => {
      it('gives the image its tag and resolves with its ID', async () => {
        const scene = new Scene();
        const id = await engine.build(
          scene.build(builder, ['FROM busybox:latest', 'COPY hello.txt /']),
          scene.onEvent,
          NEVER,
        );
        expect((await engine.describeImage(scene.tag))?.id).toBe(id);
        await engine.removeImage(scene.tag);
      });

      it('tells instructions and output lines, and nothing of the talk around them', async () => {
        const scene = new Scene();
        const request = scene.build(builder, ['FROM busybox:latest', 'RUN echo one', 'RUN echo two']);
        await engine.build({ ...request, noCache: true }, scene.onEvent, NEVER);
        expect(scene.lines()).toEqual(['one', 'two']);
        for (const state of ['started', 'finished'] as const) {
          const runs = scene.instructions(state).filter((text) => text.includes('RUN'));
          expect(runs.map((text) => text.replace(/^.*\] /, ''))).toEqual(['RUN echo one', 'RUN echo two']);
        }
        await engine.removeImage(scene.tag);
      });

      it('tells when it has read the context, before what comes after', async () => {
        const scene = new Scene();
        const lines = ['FROM busybox:latest', 'COPY hello.txt /', 'RUN echo hello'];
        await engine.build({ ...scene.build(builder, lines), noCache: true }, scene.onEvent, NEVER);
        const told = scene.events.map((event) => (event.type === 'output' ? event.line : event.type));
        expect(told.indexOf('context-sent')).toBeGreaterThan(-1);
        expect(told.indexOf('hello')).toBeGreaterThan(told.lastIndexOf('context-sent'));
        await engine.removeImage(scene.tag);
      });

      it('says which instructions were cached', async () => {
        const first = new Scene();
        // BuildKit's cache outlives images and knows no labels: only a new command is surely not in it.
        const run = `RUN echo cached ${first.id}`;
        const request = first.build(builder, ['FROM busybox:latest', run]);
        const before = await engine.build(request, first.onEvent, NEVER);
        const second = new Scene();
        const after = await engine.build(request, second.onEvent, NEVER);
        expect([first.wasCached(run), second.wasCached(run)]).toEqual([false, true]);
        expect(after).toBe(before);
        await engine.removeImage(first.tag);
      });

      it('builds from the image of another build, and stops at a target', async () => {
        const base = new Scene();
        await engine.build(
          base.build(builder, ['FROM busybox:latest', 'COPY hello.txt /']),
          base.onEvent,
          NEVER,
        );
        const child = new Scene();
        const stages = [`FROM ${base.tag} AS wanted`, `RUN echo ${child.id}`, 'FROM wanted', 'RUN exit 1'];
        await engine.build(child.build(builder, stages, { target: 'wanted' }), child.onEvent, NEVER);
        expect(child.lines()).toEqual([child.id]);
        await engine.removeImage(child.tag);
        await engine.removeImage(base.tag);
      });

      it('rejects with the instruction, its exit code and its last output when a RUN fails, and leaves nothing', async () => {
        const scene = new Scene();
        const lines = ['FROM busybox:latest', 'RUN echo fine', 'RUN echo broken && exit 3'];
        const error = await failureOf(engine.build(scene.build(builder, lines), scene.onEvent, NEVER));
        expect(error).toBeInstanceOf(StepError);
        expect((error as StepError).failure).toEqual({
          message: 'RUN echo broken && exit 3 exited with 3',
          instruction: 'RUN echo broken && exit 3',
          exitCode: 3,
          output: ['broken'],
        });
        expect(scene.instructions('failed').map((text) => text.replace(/^.*\] /, ''))).toEqual([
          'RUN echo broken && exit 3',
        ]);
        expect(await made.countMarked(scene.id)).toBe(0);
      });

      it('rejects with StepError when COPY finds nothing', async () => {
        const scene = new Scene();
        const lines = ['FROM busybox:latest', 'COPY absent.txt /'];
        const error = await failureOf(engine.build(scene.build(builder, lines), scene.onEvent, NEVER));
        expect(error).toBeInstanceOf(StepError);
        expect((error as StepError).message).toMatch(/^COPY absent\.txt \/ failed: .*absent\.txt.*$/);
        expect((error as StepError).hint).toBe(
          'Check the name, that it lies inside the context, and that no line of .dockerignore leaves it out.',
        );
        expect(await made.countMarked(scene.id)).toBe(0);
      });

      it('stops soon after an abort, with its reason, and leaves nothing', async () => {
        const scene = new Scene();
        const abort = new AbortController();
        const reason = new Error('enough');
        const lines = ['FROM busybox:latest', 'RUN echo fine', 'RUN echo waiting && sleep 600'];
        let abortedAt = 0;
        const build = engine.build(
          scene.build(builder, lines),
          (event) => {
            scene.onEvent(event);
            if (event.type !== 'output' || event.line !== 'waiting') return;
            abortedAt = performance.now();
            abort.abort(reason);
          },
          abort.signal,
        );
        expect(await failureOf(build)).toBe(reason);
        // The cleaning up included; only a hang takes this long, on the busiest machine.
        expect(performance.now() - abortedAt).toBeLessThan(20_000);
        await expect.poll(() => made.countMarked(scene.id), { timeout: 20_000 }).toBe(0);
      });
    });

    describe('images', () => {
      it('describes an image by its layers and config, and knows nothing of absent ones', async () => {
        const image = await engine.describeImage('busybox:latest');
        expect(image?.names).toContain('busybox:latest');
        expect(image?.layers.every((layer) => /^sha256:[0-9a-f]{64}$/.test(layer))).toBe(true);
        expect(await engine.describeImage(`${PREFIX}/absent:latest`)).toBeUndefined();
      });

      it('adds, lists, moves and removes names', async () => {
        const { id } = new Scene();
        const name = `${PREFIX}/${id}:one`;
        await engine.tagImage('busybox:latest', name);
        const { id: imageId } = (await engine.describeImage('busybox:latest')) ?? { id: '' };
        expect(await engine.listImageNames(`${PREFIX}/${id}`)).toEqual([{ name, imageId }]);
        expect(await engine.removeImage(name)).toBe(true);
        expect(await engine.removeImage(name), 'gone already').toBe(true);
        expect(await engine.listImageNames(`${PREFIX}/${id}`)).toEqual([]);
        expect(await engine.describeImage('busybox:latest')).toBeDefined();
      });

      it('finds the images of many names at once, however the names are written', async () => {
        const { id } = new Scene();
        const names = [`${PREFIX}/${id}:one`, `${PREFIX}/${id}:two`, `docker.io/library/${id}:three`];
        const { id: imageId } = (await engine.describeImage('busybox:latest')) ?? { id: '' };
        for (const name of names) await engine.tagImage('busybox:latest', name);
        const asked = [`${PREFIX}/absent:latest`, ...names, 'busybox:latest'];
        expect(await engine.findNames(asked)).toEqual(
          new Map([...names, 'busybox:latest'].map((name) => [name, imageId])),
        );
        for (const name of names) await engine.removeImage(name);
        expect(await engine.findNames(names)).toEqual(new Map());
      });

      it('removes images without a name by spare names of others', async () => {
        const scene = new Scene();
        const name = (word: string): string => `${PREFIX}/${scene.id}/${word}:latest`;
        const image = async (word: string): Promise<string> => {
          const request = scene.build('classic', ['FROM busybox:latest', `ENV WORD=${word}`], {
            tag: name(word),
          });
          return engine.build(request, scene.onEvent, NEVER);
        };
        const [lost, kept] = [await image('lost'), await image('kept')];
        for (const word of ['lost', 'spare', 'other']) await engine.tagImage('busybox:latest', name(word));
        const spareNames = new Map([
          [lost, name('spare')],
          [kept, name('other')],
        ]);
        const removals = await engine.removeNameless([lost, kept], { spareNames });
        expect(removals).toEqual({ removed: [lost], failed: new Map() });
        const left = await engine.listImageNames(`${PREFIX}/${scene.id}/`);
        const names = left.map((each) => each.name).filter((each) => each !== name('other'));
        expect(names.sort()).toEqual([name('kept'), name('lost')]);
        for (const word of ['lost', 'kept', 'other']) await engine.removeImage(name(word));
      });

      it('holds an image by a name where it is there', async () => {
        const { id } = new Scene();
        const name = `${PREFIX}/${id}:held`;
        const { id: imageId } = (await engine.describeImage('busybox:latest')) ?? { id: '' };
        expect(await engine.holdImage(imageId, name)).toBe(true);
        expect(await engine.listImageNames(`${PREFIX}/${id}`)).toEqual([{ name, imageId }]);
        expect(await engine.holdImage(`sha256:${'0'.repeat(64)}`, name)).toBe(false);
        expect(await engine.removeImage(name)).toBe(true);
      });

      it('rejects with status 404 when an absent image gets a name', async () => {
        const error = await failureOf(engine.tagImage(`${PREFIX}/absent:latest`, `${PREFIX}/other:latest`));
        expect(error).toBeInstanceOf(EngineError);
        expect((error as EngineError).status).toBe(404);
      });
    });

    describe('networks', () => {
      it('have an address at which RUN reaches the host', async () => {
        const address = await engine.gateway('default', NEVER);
        expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
        expect(await engine.gateway('bridge', NEVER)).toBe(address);
        expect(await engine.gateway('host', NEVER)).toBe('127.0.0.1');
      });

      it('have none where RUN has no network of its own', async () => {
        expect(await engine.gateway('none', NEVER)).toBeUndefined();
      });

      it('that do not exist are an error of status 404', async () => {
        const error = await failureOf(engine.gateway('habitus-contract-absent', NEVER));
        expect(error).toBeInstanceOf(EngineError);
        expect((error as EngineError).status).toBe(404);
      });
    });

    describe('volumes', () => {
      it('are made once, found by label and by name, and gone once removed', async () => {
        const scene = new Scene();
        const name = `habitus-contract-${scene.id}`;
        const labels = { contract: scene.id, long: 'x'.repeat(1_000_000) };
        expect(await engine.createVolume(name, labels)).toEqual({ name, labels });
        expect(await engine.createVolume(name, { contract: 'another' })).toEqual({ name, labels });
        expect(await engine.findVolume(name)).toEqual({ name, labels });
        expect(await engine.listVolumes(`contract=${scene.id}`)).toEqual([{ name, labels }]);
        expect((await engine.listVolumes('contract')).map((volume) => volume.name)).toContain(name);
        expect(await engine.listVolumes('contract=another')).toEqual([]);
        await engine.removeVolume({ name, labels: { contract: 'another' } });
        expect(await engine.findVolume(name), 'of other labels').toEqual({ name, labels });
        await engine.removeVolume({ name, labels });
        await engine.removeVolume({ name, labels });
        expect(await engine.findVolume(name)).toBeUndefined();
        expect(await engine.listVolumes(`contract=${scene.id}`)).toEqual([]);
      });

      it('that many make at once are of one of them, and all are told of which', async () => {
        const scene = new Scene();
        const name = `habitus-contract-${scene.id}`;
        const all = await Promise.all(
          Array.from({ length: 8 }, (_, index) => engine.createVolume(name, { by: String(index) })),
        );
        const found = await engine.findVolume(name);
        if (found !== undefined) await engine.removeVolume(found);
        expect(found?.labels['by']).toMatch(/^[0-7]$/);
        expect(all).toEqual(Array.from({ length: 8 }, () => found));
      });
    });

    describe('containers', () => {
      it('are found by label, and gone once removed', async () => {
        const scene = new Scene();
        const container = await engine.createContainer(scene.container(['true']), NEVER);
        expect(await engine.listContainers(`contract=${scene.id}`)).toMatchObject([
          { id: container.id, labels: { contract: scene.id } },
        ]);
        await container.remove();
        await container.remove();
        await engine.removeContainer(container.id);
        expect(await engine.listContainers(`contract=${scene.id}`)).toEqual([]);
      });

      it('run with their output line by line, and tell their exit code', async () => {
        const scene = new Scene();
        const command = ['/bin/sh', '-c', 'echo to stdout && echo to stderr >&2 && exit 7'];
        const container = await engine.createContainer(scene.container(command), NEVER);
        const lines: string[] = [];
        const code = await container.run((stream, line) => lines.push(`${stream}: ${line}`), NEVER);
        expect(lines.sort()).toEqual(['stderr: to stderr', 'stdout: to stdout']);
        expect(code).toBe(7);
        await container.remove();
      });

      it('are killed by an abort, at once', async () => {
        const scene = new Scene();
        const command = ['/bin/sh', '-c', 'echo waiting && sleep 600'];
        const container = await engine.createContainer(scene.container(command), NEVER);
        const abort = new AbortController();
        const reason = new Error('enough');
        const started = performance.now();
        const error = await failureOf(
          container.run(() => {
            abort.abort(reason);
          }, abort.signal),
        );
        expect(error).toBe(reason);
        await container.remove();
        expect(performance.now() - started).toBeLessThan(20_000);
        expect(await made.countMarked(scene.id)).toBe(0);
      });

      it('give files as a tar without having been started, also of an image without a command', async () => {
        const scene = new Scene();
        const [builder = 'classic'] = builders;
        const dockerfile = ['FROM scratch', 'COPY hello.txt /deep/hello.txt'];
        await engine.build(scene.build(builder, dockerfile), scene.onEvent, NEVER);
        const { image, labels, ...rest } = scene.container([], { image: scene.tag });
        const container = await engine.createContainer(
          { image, labels, command: rest.command, network: 'none', limits: {} },
          NEVER,
        );
        const files = scan(await readAll(await container.archive('/deep', NEVER)));
        expect(files.map(({ entry }) => entry.path.replace(/\/$/, ''))).toEqual(['deep', 'deep/hello.txt']);
        expect(files[1]?.content.toString()).toBe('hello\n');
        const error = await failureOf(container.archive('/absent', NEVER));
        expect((error as EngineError).status).toBe(404);
        expect(await engine.removeImage(scene.tag), 'the container uses it').toBe(false);
        await container.remove();
        await engine.removeImage(scene.tag);
      });

      it('reject with status 404 when their image is absent', async () => {
        const scene = new Scene();
        const request = scene.container(['true'], { image: `${PREFIX}/absent:latest` });
        const error = await failureOf(engine.createContainer(request, NEVER));
        expect(error).toBeInstanceOf(EngineError);
        expect((error as EngineError).status).toBe(404);
      });
    });
  });
}
