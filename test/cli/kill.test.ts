/**
 * The program killed at any moment: what it left is collected by the next build or by `habitus gc`, and final names are all of
 * one build. HABITUS_KILLS says how often, then on each engine with each builder; HABITUS_SEED repeats a run.
 */
import { randomInt } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { habitus, start } from '../support/build-program.js';
import { project, subjects, type Files, type Project, type Subject } from '../support/build-project.js';

const KILLS = Number(process.env['HABITUS_KILLS'] ?? '2');
/** Where nobody asks for more: each engine, each builder. */
const SAMPLE = ['e20 classic', 'e28 buildkit', 'e28c classic'];
const SUBJECTS = subjects().filter(
  ({ name }) => process.env['HABITUS_KILLS'] !== undefined || SAMPLE.includes(name),
);
const SEED = Number(process.env['HABITUS_SEED'] ?? randomInt(2 ** 31));
const SECRET = 'a-secret-that-nobody-finds-4711';

const SECRET_URL = 'http://$habitus_user:$habitus_password@$habitus_host:$habitus_port/v1/secrets/env/tok';
const STEPS = ['made', 'taken', 'plain'] as const;
const FILES: Files = {
  'build.yml': [
    'build:',
    '  version: 2026-11-22',
    '  secrets: { tok: { env: TOKEN } }',
    '  steps:',
    '    made:',
    '      name: "@made"',
    '      keep: true',
    '      dockerfile: made.df',
    '      secrets: [tok]',
    '      artifacts: ["/out:got"]',
    '      cleanup: { commands: ["rm /waste"] }',
    '    taken:',
    '      name: "@taken"',
    '      dockerfile: taken.df',
    '      depends_on: [made]',
    '      command: cat /round',
    '      squash: true',
    '    plain:',
    '      name: "@plain"',
    '      dockerfile: plain.df',
    '',
  ].join('\n'),
  'made.df': [
    'FROM busybox:latest',
    'LABELLED',
    'ARG ROUND',
    'LABEL round=$ROUND',
    'ARG habitus_host',
    'ARG habitus_port',
    'ARG habitus_user',
    'ARG habitus_password',
    `RUN wget -qO /dev/null ${SECRET_URL}`,
    'RUN echo $ROUND > /waste && mkdir /out && echo $ROUND > /out/round',
    '',
  ].join('\n'),
  'taken.df':
    'FROM busybox:latest\nLABELLED\nARG ROUND\nLABEL round=$ROUND\nCOPY got/out/round /round\nRUN echo $ROUND > /own\n',
  // The programs' notes, which come and go with them.
  '.dockerignore': '.cache\n',
  'plain.df': 'FROM busybox:latest\nLABELLED\nARG ROUND\nLABEL round=$ROUND\nRUN echo $ROUND > /own\n',
};

/** mulberry32: any seed gives all of it again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The first image that the classic builder makes for a step, which it makes before it can be written down. Nothing marks it, and
 * what looks like it may be that of a living build.
 */
function isFirst([latest = '']: readonly string[]): boolean {
  return / LABEL round=\d+$/.test(latest);
}

class Scene {
  readonly #subject: Subject;
  readonly #given: Project;
  readonly #cache: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(subject: Subject, given: Project) {
    this.#subject = subject;
    this.#given = given;
    // Owners that die one after the other have one home.
    this.#cache = join(given.directory, '.cache');
    this.#env = { TOKEN: SECRET, XDG_CACHE_HOME: this.#cache };
  }

  #args(round: number): readonly string[] {
    const { directory } = this.#given;
    const { builder } = this.#subject;
    return ['-d', directory, '--builder', builder, '--progress', 'plain', '--build', `ROUND=${round}`];
  }

  /** @returns how long it took, in milliseconds */
  async build(round: number): Promise<number> {
    const began = performance.now();
    const ended = await habitus(this.#subject.engine, this.#args(round), { env: this.#env });
    expect(ended, ended.stderr).toMatchObject({ code: 0, leftInTmp: [] });
    return performance.now() - began;
  }

  async kill(round: number, afterMs: number): Promise<void> {
    const program = await start(this.#subject.engine, this.#args(round), { env: this.#env });
    await Promise.race([sleep(afterMs), program.ended]);
    program.child.kill('SIGKILL');
    expect((await program.ended).leftInTmp).toEqual([]);
  }

  async collect(): Promise<void> {
    const ended = await habitus(this.#subject.engine, ['gc'], { env: this.#env });
    expect(ended, ended.stderr + ended.stdout).toMatchObject({ code: 0 });
  }

  /** The round that the final names are of. */
  async round(): Promise<readonly (string | undefined)[]> {
    const { images, name } = this.#given;
    const rounds = await Promise.all(
      STEPS.map(async (step) => {
        const labels = (await images.inspect(name(step)))?.Config['Labels'];
        return (labels as Readonly<Record<string, string>> | undefined)?.['round'];
      }),
    );
    return [...new Set(rounds)];
  }

  async expectNothingLeft(about: string): Promise<void> {
    const { images, id } = this.#given;
    // An engine takes its time to remove a container itself.
    const { dangling } = await vi.waitFor(
      async () => {
        const { containers, sessionNames, ...rest } = await images.traces(id);
        expect({ containers, sessionNames }, about).toEqual({ containers: [], sessionNames: [] });
        return rest;
      },
      { timeout: 10_000, interval: 200 },
    );
    const histories = await Promise.all(dangling.map((image) => images.history(image)));
    const told = this.#subject.builder === 'classic' ? histories.filter((one) => !isFirst(one)) : histories;
    expect(told, about).toEqual([]);
    const kept = await readdir(this.#cache, { recursive: true });
    expect(
      kept.filter((path) => /(?:^|\/)\.writing-|^habitus\/sessions\/./.test(path)),
      about,
    ).toEqual([]);
  }
}

describe.each(SUBJECTS)('on $name', (subject) => {
  test(`a build killed ${KILLS} times leaves nothing for longer than until the next one, or gc`, async () => {
    const random = randomOf(SEED);
    const scene = new Scene(subject, await project(subject.engine, FILES));
    await scene.build(0);
    // The second one has an earlier image to replace, as all that follow.
    let duration = await scene.build(1);
    let current = '1';
    for (let round = 2; round < KILLS + 2; round += 1) {
      const afterMs = Math.round(random() * duration * 1.05);
      let about = `seed ${SEED}, round ${round} killed after ${afterMs} ms of ${Math.round(duration)}`;
      await scene.kill(round, afterMs);
      if (random() < 0.5) {
        about += ', then gc';
        await scene.collect();
        const [now, ...others] = await scene.round();
        expect([now, others], about).toEqual([expect.stringMatching(`^(?:${current}|${round})$`), []]);
        current = now ?? '';
      } else {
        duration = await scene.build(round);
        expect(await scene.round(), about).toEqual([String(round)]);
        current = String(round);
      }
      await scene.expectNothingLeft(about);
    }
  });
});
