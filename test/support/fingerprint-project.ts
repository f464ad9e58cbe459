/** The project of the property test of fingerprints: what a build file can say of four steps, and base images that change. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { project, type Project, type Subject } from './build-project.js';
import { TEST_LABEL } from './images.js';
import { EngineApi } from './squash-api.js';
import { squashYml } from './squash-project.js';
import { encode, member, streamOf } from './tar.js';

/**
 * `maker` has a build arg and artifacts, `taker` takes them, `onbase` has a target and is based on `maker`, `small` is cleaned and
 * squashed. `onbase` and `small` are built from one folder.
 */
export const LABELS = ['maker', 'taker', 'onbase', 'small'] as const;
export type Label = (typeof LABELS)[number];

/** All of a step's context that COPY takes lies in these. */
export const FOLDERS: Readonly<Record<string, readonly Label[]>> = {
  'maker/files': ['maker'],
  'taker/files': ['taker'],
  'taker/in': ['taker'],
  'both/files': ['onbase', 'small'],
};

/** Numbers choose one of VARIANTS. */
export interface Settings {
  readonly flavour: number;
  readonly copy: number;
  readonly place: number;
  readonly target: number;
  readonly reduce: number;
  readonly keepsMaker: boolean;
  readonly noCache: readonly Label[];
  readonly bases: Readonly<Record<'a' | 'b', number>>;
}

export const VARIANTS = {
  flavour: ['plain', 'sweet'],
  copy: ['COPY files /out/', 'COPY --chown=3:4 files /out/', 'COPY files /out/below/'],
  place: ['taker/in', 'taker/in/deep', 'taker/files'],
  target: ['first', 'last'],
  reduce: [
    ['cleanup: { commands: [rm -rf /files/a], network: none }'],
    ['cleanup: { commands: [cp -a /files /copied], network: none, user: root }', 'squash: { from: scratch }'],
    ['squash: true'],
    ['squash: false'],
  ],
  /** A file that the base image has, and what it makes those do that are built on it. */
  base: [
    ['one', ''],
    ['two', ''],
    ['one', 'ONBUILD COPY files /onbuild/'],
  ],
} as const;

/** Whole seconds: Node sets no other times exactly. */
export const LONG_AGO = 1_600_000_000;

/** No registry is asked: a connection to that port of the loopback is refused at once. */
const baseName = (id: string, base: string): string => `127.0.0.1:2/fingerprint-${id}/${base}`;

const FIRST: Settings = {
  flavour: 0,
  copy: 0,
  place: 0,
  target: 0,
  reduce: 0,
  keepsMaker: false,
  noCache: [],
  bases: { a: 0, b: 1 },
};

export class FingerprintProject {
  settings = FIRST;

  private constructor(
    readonly given: Project,
    /** What `copy` chooses one of. */
    readonly copies: readonly string[],
  ) {}

  static async make({ engine, builder }: Subject): Promise<FingerprintProject> {
    // The cache of 20.10's BuildKit does not see that files of a context have other owners, as artifacts may.
    const seesOwners = engine.name !== 'e20' || builder !== 'buildkit';
    const copies = VARIANTS.copy.filter((copy) => seesOwners || !copy.includes('--chown'));
    const made = new FingerprintProject(await project(engine, {}), copies);
    const api = new EngineApi(engine.host);
    for (const variant of VARIANTS.base.keys()) await made.#makeBase(api, variant);
    for (const folder of Object.keys(FOLDERS)) {
      mkdirSync(join(made.given.directory, folder), { recursive: true });
      for (const name of ['a', 'b']) {
        const file = join(made.given.directory, folder, name);
        writeFileSync(file, 'first');
        utimesSync(file, LONG_AGO, LONG_AGO);
      }
    }
    await made.set({});
    return made;
  }

  /** The names that a build gives, without the uid. */
  get named(): readonly Label[] {
    return LABELS.filter((label) => label !== 'maker' || this.settings.keepsMaker);
  }

  /** Change the build file, the Dockerfiles, and what the bases' names mean. */
  async set(changes: Partial<Settings>): Promise<void> {
    this.settings = { ...this.settings, ...changes };
    const { id, images } = this.given;
    for (const base of ['a', 'b'] as const) {
      await images.tag(baseName(id, `variant-${this.settings.bases[base]}`), `${baseName(id, base)}:latest`);
    }
    for (const [file, text] of Object.entries(this.#files())) {
      writeFileSync(join(this.given.directory, file), text);
    }
  }

  #files(): Readonly<Record<string, string>> {
    const { flavour, copy, place, target, reduce, keepsMaker, noCache } = this.settings;
    const { id } = this.given;
    const keys = (label: Label, ...own: readonly string[]): readonly string[] =>
      noCache.includes(label) ? [...own, 'no_cache: true'] : own;
    const yml = squashYml({
      maker: keys(
        'maker',
        'context: maker',
        `args: { FLAVOUR: ${VARIANTS.flavour[flavour] ?? ''} }`,
        `artifacts: ["/out:${VARIANTS.place[place] ?? ''}"]`,
        ...(keepsMaker ? ['keep: true'] : []),
      ),
      taker: keys('taker', 'context: taker', 'depends_on: [maker]'),
      onbase: keys(
        'onbase',
        'context: both',
        'dockerfile: onbase.df',
        `target: ${VARIANTS.target[target] ?? ''}`,
      ),
      small: keys('small', 'context: both', 'dockerfile: small.df', ...(VARIANTS.reduce[reduce] ?? [])),
    });
    const from = (base: string): string => `FROM ${baseName(id, base)}\nLABEL ${TEST_LABEL}=${id}\n`;
    return {
      'build.yml': yml.replaceAll('@', `habitus.invalid/${id}/`),
      'maker/Dockerfile': `${from('a')}ARG FLAVOUR\n${this.copies[copy] ?? ''}\nCOPY files /of-$FLAVOUR/\n`,
      'taker/Dockerfile': `${from('a')}COPY in /in/\nCOPY files /files/\n`,
      'both/onbase.df': `FROM habitus.invalid/${id}/maker AS first\nCOPY files /first/\nFROM first AS last\nCOPY files /last/\n`,
      'both/small.df': `${from('b')}COPY files /files/\n`,
    };
  }

  async #makeBase(api: EngineApi, variant: number): Promise<void> {
    const [content, change] = VARIANTS.base[variant] ?? ['', ''];
    const { Id } = await api.json<{ Id: string }>('POST', '/containers/create', {
      Image: 'busybox:latest',
      Cmd: ['none'],
    });
    try {
      const archive = streamOf(encode([member({ path: 'base' }, content)]));
      await api.bytes('PUT', `/containers/${Id}/archive?path=/`, archive);
      const query = new URLSearchParams({
        container: Id,
        repo: baseName(this.given.id, `variant-${variant}`),
      });
      for (const instruction of [`LABEL ${TEST_LABEL}=${this.given.id}`, change]) {
        if (instruction !== '') query.append('changes', instruction);
      }
      await api.bytes('POST', `/commit?${query.toString()}`);
    } finally {
      await this.given.images.removeContainer(Id);
    }
  }
}
