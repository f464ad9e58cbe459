/**
 * After any edits, what fingerprints leave unbuilt is what a build without any cache makes. HABITUS_RUNS says how many builds,
 * then on each engine with each builder; HABITUS_SEED repeats a run.
 *
 * Times of files are not compared: COPY keeps them, but no builder's cache looks at them. Nor does BuildKit's tell files of the same
 * content from links to one.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { buildProject, type Built } from '../support/build-library.js';
import { ownCache } from '../support/own-cache.js';
import { subjects, type Subject } from '../support/build-project.js';
import { apply, editFile, roundsOf, type Round } from '../support/fingerprint-edits.js';
import { FingerprintProject, LABELS, type Label } from '../support/fingerprint-project.js';
import { EngineApi } from '../support/squash-api.js';
import { difference, listingOf, type Listing } from '../support/squash-listing.js';

const SEED = Number(process.env['HABITUS_SEED'] ?? randomInt(2 ** 31));
const GIVEN_RUNS = process.env['HABITUS_RUNS'];
const RUNS = Number(GIVEN_RUNS ?? '5');
const SECONDS_A_RUN = 60;
const REFERENCE = 'reference';

/** Where nobody asks for more, one engine for each builder. */
function chosen(): readonly Subject[] {
  if (GIVEN_RUNS !== undefined) return subjects();
  return (['classic', 'buildkit'] as const).flatMap((builder) => {
    const having = subjects().filter((subject) => subject.builder === builder);
    return having.slice(SEED % having.length).slice(0, 1);
  });
}

ownCache();

/** All that may be built when these steps' own inputs have changed. */
function withAffected(changed: ReadonlySet<Label>, keepsMaker: boolean): ReadonlySet<Label> {
  const may = new Set(changed);
  const takers = ['taker', 'onbase'] as const;
  // The image of a step that does not stay has to be built again for those that need it.
  if (!keepsMaker && takers.some((taker) => changed.has(taker))) may.add('maker');
  if (may.has('maker')) takers.forEach((taker) => may.add(taker));
  return may;
}

class Scene {
  /** Steps whose own inputs may have changed since the last build that succeeded. */
  readonly #changed = new Set<Label>(LABELS);
  readonly #api: EngineApi;

  constructor(
    readonly subject: Subject,
    readonly project: FingerprintProject,
  ) {
    this.#api = new EngineApi(subject.engine.host);
  }

  async run({ edits, meanwhile }: Round): Promise<void> {
    for (const edit of edits)
      for (const label of await apply(edit, this.project, this.subject.builder)) this.#changed.add(label);
    if (meanwhile !== undefined) {
      await this.#buildWhile(() => editFile(meanwhile, this.project.given.directory, this.subject.builder));
    }
    const first = await this.#build();
    this.#expectUnchanged(first, this.#changed);
    if (first.result.status === 'succeeded') {
      this.#changed.clear();
      this.#expectUnchanged(await this.#build(), new Set());
    }
    await this.#expectLikeReference(first);
  }

  /** What comes of such a build nobody can say; only the next one must not take it for something else. */
  async #buildWhile(edit: () => readonly Label[]): Promise<void> {
    let labels: readonly Label[] | undefined;
    await buildProject(this.subject, this.project.given, {
      fingerprint: true,
      emit: ({ type }) => {
        if (type === 'step-started') labels ??= edit();
      },
    });
    labels ??= edit();
    LABELS.forEach((label) => this.#changed.add(label));
  }

  #build(): Promise<Built> {
    return buildProject(this.subject, this.project.given, { fingerprint: true, explain: true });
  }

  #expectUnchanged({ result, events }: Built, changed: ReadonlySet<Label>): void {
    const { keepsMaker, noCache } = this.project.settings;
    const may = withAffected(new Set([...changed, ...noCache]), keepsMaker);
    const built = result.steps.filter(
      ({ status, label }) => status !== 'unchanged' && !may.has(label as Label),
    );
    const why = built.flatMap(({ label }) =>
      events.flatMap((event) =>
        event.type === 'notice' && event.step === label ? [label, event.message] : [],
      ),
    );
    expect([built.map(({ label }) => label), why]).toEqual([[], []]);
  }

  /** A copy in a folder that no builder has seen before, as BuildKit remembers files by folder, size and time. */
  async #expectLikeReference({ result }: Built): Promise<void> {
    const { given } = this.project;
    const copy = await mkdtemp(join(tmpdir(), 'habitus-reference-'));
    try {
      await promisify(execFile)('cp', ['-a', `${given.directory}/.`, copy]);
      const options = { fingerprint: false, noCache: true, uid: REFERENCE };
      const reference = await buildProject(this.subject, { ...given, directory: copy }, options);
      expect(result.status).toBe(reference.result.status);
      if (result.status !== 'succeeded') return;
      for (const label of this.project.named) {
        const expected = await this.#listing(given.name(`${label}-${REFERENCE}`));
        expect([label, ...difference(expected, await this.#listing(given.name(label)))]).toEqual([label]);
      }
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }

  async #listing(image: string): Promise<Listing> {
    return listingOf(await this.#api.export(image), {
      times: true,
      hardLinks: this.subject.builder === 'buildkit',
    });
  }
}

describe.each(chosen())('on $name', (subject) => {
  test(
    `${RUNS} rounds of edits`,
    async () => {
      const scene = new Scene(subject, await FingerprintProject.make(subject));
      const done: Round[] = [];
      try {
        await scene.run({ edits: [], meanwhile: undefined });
        for (const round of roundsOf(SEED, RUNS)) {
          done.push(round);
          await scene.run(round);
        }
      } catch (error) {
        throw new Error(
          `HABITUS_SEED=${SEED}, after ${done.map((each) => JSON.stringify(each)).join('\n')}`,
          {
            cause: error,
          },
        );
      }
      const { given } = scene.project;
      const { containers, sessionNames } = await given.images.traces(given.id);
      expect({ containers, sessionNames }).toEqual({ containers: [], sessionNames: [] });
    },
    (RUNS + 1) * SECONDS_A_RUN * 1000,
  );
});
