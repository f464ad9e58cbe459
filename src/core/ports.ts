/** The port: all that the core asks of a Docker Engine. `src/engine` implements it with dockerode. */
import type { Readable } from 'node:stream';
import type { ReferenceOptions } from '../dockerfile/stages.js';
import type { BuildContext } from '../tar/context.js';
import type { InstructionEvent } from './events.js';
import type { Unmarked } from './journal.js';
import type { SshSpec } from './plan.js';

export type Builder = 'classic' | 'buildkit';

export interface EngineInfo {
  /** Tells this engine from all others, and stays. */
  readonly id: string;
  /** For people, e.g. `Docker 28.5.2 at unix:///var/run/docker.sock`. */
  readonly name: string;
  readonly version: string;
  readonly apiVersion: string;
  /** `containerd`: the containerd image store; `graphdriver`: the store of old. */
  readonly store: 'graphdriver' | 'containerd';
  /** The builders this engine offers, the one `auto` means first. */
  readonly builders: readonly Builder[];
  /** Whether it is reached by a Unix socket: then it most likely runs on this machine. */
  readonly local: boolean;
}

/** What a builder says while it works. */
export type BuilderEvent =
  | { readonly type: 'instruction'; readonly instruction: InstructionEvent }
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly line: string }
  | { readonly type: 'warning'; readonly message: string }
  /** It has read all that it asks for of the context, by now; it may ask once more. */
  | { readonly type: 'context-sent' }
  /** It made something that carries no mark: what a death would leave behind. */
  | { readonly type: 'made'; readonly made: Unmarked };

export interface Limits {
  /** Bytes, as `--memory` of docker. */
  readonly memory?: number;
  readonly cpusetCpus?: string;
  readonly cpuShares?: number;
}

export interface BuildRequest {
  readonly builder: Builder;
  /** Files of the user and of artifacts, already filtered by `.dockerignore`. */
  readonly context: BuildContext;
  /** Stable key of the context, by which BuildKit finds what was sent before. */
  readonly contextKey: string;
  /** The Dockerfile to build, after redirection; not part of the context. */
  readonly dockerfile: Buffer;
  /** Names the result gets, e.g. `127.0.0.1:1/habitus/<session>/<step>:latest`. */
  readonly tag: string;
  readonly target?: string;
  readonly args: Readonly<Record<string, string>>;
  readonly noCache: boolean;
  /** Network mode of RUN; `default` means the engine's own. */
  readonly network: string;
  readonly limits: Limits;
  /** Remove intermediate containers after success (`--rm`); after failure they always go. */
  readonly removeContainers: boolean;
  /** What `RUN --mount=type=secret` gets, by its `id`; BuildKit only. */
  readonly secrets: ReadonlyMap<string, Buffer>;
  /** What `RUN --mount=type=ssh` may use; BuildKit only. */
  readonly ssh: readonly SshSpec[];
}

/** The parts of an image's config that matter here; keys as in the Engine API's image inspect. */
export interface ImageDescription {
  readonly id: string;
  /** diff IDs, base first. */
  readonly layers: readonly string[];
  readonly size: number;
  readonly user: string;
  /** `SHELL`, if the Dockerfile set one. */
  readonly shell?: readonly string[];
  readonly env: readonly string[];
  /** The image it was made from, if the engine keeps that one too: the classic builder's intermediate images. */
  readonly parent?: string;
  /** Paths of `VOLUME`. */
  readonly volumes: readonly string[];
  /** All its names `repository:tag`. */
  readonly names: readonly string[];
  readonly workingDir: string;
  /** Instructions of `ONBUILD`, which a build on it begins with. */
  readonly onBuild: readonly string[];
}

export interface ExecRequest {
  readonly command: readonly string[];
  /** Absent: the container's own. */
  readonly user?: string;
}

export interface ContainerRequest {
  readonly image: string;
  /** Absent: the image's own. Always passed as argument lists; no shell is added. */
  readonly entrypoint?: readonly string[];
  readonly command: readonly string[];
  readonly user?: string;
  /** Keep standard input open and empty: a shell that reads it stays until the container is removed. */
  readonly holdOpen?: boolean;
  readonly network: string;
  readonly limits: Limits;
  readonly labels: Readonly<Record<string, string>>;
}

/** A container that the caller owns and must remove. */
export interface EngineContainer {
  readonly id: string;
  /** Tar of a path in the container's file system; not followed if it is a symlink itself. Rejects with an EngineError of status 404 where it does not exist. */
  archive(path: string, signal: AbortSignal): Promise<Readable>;
  /** Start it, pass its output line by line, resolve with its exit code. */
  run(onLine: (stream: 'stdout' | 'stderr', line: string) => void, signal: AbortSignal): Promise<number>;
  /** Start it and let it work, for `exec`. */
  start(signal: AbortSignal): Promise<void>;
  /** Run a command in it while it works, pass its output line by line, resolve with its exit code. */
  exec(
    request: ExecRequest,
    onLine: (stream: 'stdout' | 'stderr', line: string) => void,
    signal: AbortSignal,
  ): Promise<number>;
  /** Stop it at once, then make an image of its file system under this name. */
  commit(name: string, signal: AbortSignal): Promise<void>;
  /** Kill and remove it with its anonymous volumes; no error when it is gone already. */
  remove(): Promise<void>;
}

export interface LabelledContainer {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface LabelledVolume {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Images in and out of an engine as whole archives, and what the engine remembers of their making. */
export interface ImageArchives {
  /** Fetch an image from its registry, as `docker pull` does. */
  pullImage(reference: string, signal: AbortSignal): Promise<void>;
  /** The archive of these images, as `docker save` writes it; fails when it is cut off. */
  saveImages(references: readonly string[], signal: AbortSignal): Promise<Readable>;
  /** Learn the images of an archive. Whoever calls checks what has become of them: a load may fail silently. */
  loadImages(archive: Readable, signal: AbortSignal): Promise<void>;
  /** Remove BuildKit's cache of files; with the classic builder there is none. @returns what has become of the records */
  forgetBuildCache(removed: RemovedFiles, signal: AbortSignal): Promise<ForgottenCache>;
}

/** Where removed files came from: the cache of these instructions, and of what was built on them, holds the files. */
export interface RemovedFiles {
  /** As the image's history tells them, e.g. `COPY key /root/key # buildkit`; the lowest first. */
  readonly instructions: readonly string[];
  /** What the image was built from: other stages may hold copies. */
  readonly dockerfile: Buffer;
  readonly options: ReferenceOptions;
  /** Milliseconds since the epoch: when the build began. Folders it sent are forgotten, too. */
  readonly since: number;
}

/** Numbers of records of BuildKit's cache. */
export interface ForgottenCache {
  readonly removed: number;
  /** Those that another build held for as long as one cares to wait. */
  readonly kept: number;
}

export interface ImageName {
  readonly name: string;
  readonly imageId: string;
  /** As of `ImageDescription`. */
  readonly parent?: string;
}

/** What became of images; what is in neither had a use. */
export interface Removals {
  readonly removed: readonly string[];
  /** Errors by ID. */
  readonly failed: ReadonlyMap<string, unknown>;
}

export interface NamelessRemoval {
  readonly noPrune?: boolean;
  /**
   * Names of other images that the caller does not need any more, by the IDs of those to be removed: each one moves to that image and
   * goes with it. That spares the engine the work of removing the one name and of making another.
   */
  readonly spareNames?: ReadonlyMap<string, string>;
}

/** Every call rejects with EngineError (or the signal's reason); no call leaves anything behind on abort. */
export interface Engine {
  readonly info: EngineInfo;
  /**
   * Build an image and tag it. Rejects with StepError when an instruction fails. Whatever the builder left (containers,
   * untagged images of its own making) after a failure or abort is removed before it settles.
   * @returns the image ID
   */
  build(request: BuildRequest, onEvent: (event: BuilderEvent) => void, signal: AbortSignal): Promise<string>;
  /** `undefined` when there is no such image. */
  describeImage(reference: string, signal?: AbortSignal): Promise<ImageDescription | undefined>;
  /** Give an image another name `repository:tag`; moves the name if another image has it. */
  tagImage(reference: string, name: string): Promise<void>;
  /**
   * Give an image a name by which it stays, also where somebody else is about to remove it.
   * @returns whether it is still there
   */
  holdImage(imageId: string, name: string): Promise<boolean>;
  /**
   * Remove a name, and the image with its last name; no error when it is gone.
   * @returns whether it is gone; without `force`, what is still in use is not
   */
  removeImage(
    reference: string,
    options?: { readonly force?: boolean; readonly noPrune?: boolean },
  ): Promise<boolean>;
  /**
   * Remove those of these images that have no name, no container and no image made from them; what they were made from, too,
   * where that is left without a use. Tries all, whatever fails.
   * @param ids whole, or short as the classic builder prints them; with `noPrune` newer ones first
   */
  removeNameless(ids: readonly string[], options?: NamelessRemoval): Promise<Removals>;
  readonly archives: ImageArchives;
  createContainer(request: ContainerRequest, signal: AbortSignal): Promise<EngineContainer>;
  /** All containers, running or not, with this label `key=value` or `key`. */
  listContainers(label: string): Promise<readonly LabelledContainer[]>;
  /** Kill and remove it with its anonymous volumes; no error when it is gone already. */
  removeContainer(id: string): Promise<void>;
  /**
   * The same for one that was told of as `made`: only if the classic builder has made it, for RUN can print what looks so.
   * @returns whether there was one to remove
   */
  removeRunContainer(id: string): Promise<boolean>;
  /**
   * Make an empty volume of this name and these labels, unless there is one of this name; of all who ask at once one makes it.
   * @returns the one there is
   */
  createVolume(name: string, labels: Readonly<Record<string, string>>): Promise<LabelledVolume>;
  /** The volume of this name if there is one. */
  findVolume(name: string): Promise<LabelledVolume | undefined>;
  /** All volumes with this label `key=value` or `key`. */
  listVolumes(label: string): Promise<readonly LabelledVolume[]>;
  /** No error when it is gone already, and none of its name with other labels is removed. */
  removeVolume(volume: LabelledVolume): Promise<void>;
  /**
   * The address of the engine's host that RUN reaches with this network mode.
   * @param network as in BuildRequest
   * @returns IPv4 where there is one; `undefined` where RUN reaches none, or nobody can know it
   */
  gateway(network: string, signal: AbortSignal): Promise<string | undefined>;
  /** Images without a name that were made from others, as the classic builder makes them; IDs. */
  listIntermediateImages(): Promise<readonly { readonly id: string; readonly parent: string }[]>;
  /**
   * Which images have these names `repository:tag`, in few calls or in quick ones.
   * @returns image IDs by name; names that no image has are absent
   */
  findNames(names: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** All image names under a repository prefix, e.g. `127.0.0.1:1/habitus/`; order unspecified. */
  listImageNames(prefix: string): Promise<readonly ImageName[]>;
  /** Close connections; the object is not used afterwards. */
  close(): Promise<void>;
}
