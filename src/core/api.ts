/** What the package offers to programs: the options of one build, its result, and the log it writes to. */
import type { Emit, Failure, StepStatus } from './events.js';
import type { Limits } from './ports.js';
import type { ProofReport } from './secrets.js';

/** Where the engine is; what is absent comes from the environment or the current Docker context. */
export interface EngineAddress {
  /** As `DOCKER_HOST`, e.g. `unix:///var/run/docker.sock`, `tcp://10.0.0.2:2376`, `ssh://user@host`. */
  readonly host?: string;
  /** Folder with `ca.pem`, `cert.pem` and `key.pem`, as `DOCKER_CERT_PATH`. */
  readonly certs?: string;
  /** As `DOCKER_TLS_VERIFY`. */
  readonly tls?: boolean;
}

/** How secrets are read, and served to RUN. */
export interface SecretOptions {
  /** The address that the service listens at; default: the one by which build containers reach this machine. */
  readonly binding?: string;
  /** Default: any free one, but 8080 for a Dockerfile that has no ARG `habitus_port`. */
  readonly port?: number;
  /** Without ":". Default: another for each step; with `password` it is `habitus`. */
  readonly user?: string;
  /** Default: another for each step, worthless after it. */
  readonly password?: string;
  /**
   * Dockerfiles without ARGs for user and password send that `password` by themselves; default false: both are put before the
   * address.
   */
  readonly authentication?: boolean;
  /** Allow secrets that a command on this machine prints. */
  readonly allowCommands?: boolean;
  /** Types of secrets that may be read beside commands; default both, and none with an empty list. */
  readonly providers?: readonly ('file' | 'env')[];
}

/** Every field has a default; paths are relative to the current directory of the process. */
export interface BuildOptions {
  /** Default: the current directory. */
  readonly workDirectory?: string;
  /** Default: `build.yml` in the work directory. */
  readonly file?: string;
  /** The variables of `_env()`; absent: those of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** An unset variable in `_env()` becomes an empty string instead of an error. */
  readonly allowUnsetEnv?: boolean;
  /** Build args of every step, under those of the step itself. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Appended to every image name as `-<uid>`. */
  readonly uid?: string;
  readonly noCache?: boolean;
  /** Fetch the base images anew from their registries before anything is built; what has changed is then built on them. */
  readonly pull?: boolean;
  /** Leave out what an earlier session has built of the same inputs; default true. */
  readonly fingerprint?: boolean;
  /** Tell of each step why it is built, or that it is unchanged. */
  readonly explain?: boolean;
  /** Skip cleanup and squash of every step. */
  readonly noCleanup?: boolean;
  /** Every image stays under its name, also those that only other steps use. */
  readonly keepAll?: boolean;
  /** Leave the artifacts in the work directory. */
  readonly keepArtifacts?: boolean;
  /** Labels: build only these and what they need. */
  readonly steps?: readonly string[];
  /** How many steps work at once, at least 1. */
  readonly jobs?: number;
  /** After a failure, still build what does not depend on the failed step. */
  readonly keepGoing?: boolean;
  /**
   * How long all of it may take, in whole milliseconds from 1, from the call on until names are given; default: no limit. Then
   * it is stopped as by `signal`, and has failed.
   */
  readonly timeoutMs?: number;
  /** Leave BuildKit's cache of what a squash removed: later builds are faster, but the removed files stay in it. */
  readonly keepBuildCache?: boolean;
  readonly builder?: 'auto' | 'classic' | 'buildkit';
  /** Network mode of RUN; default `default`. */
  readonly network?: string;
  readonly limits?: Limits;
  /** Remove the containers of RUN after a successful step; default true. After a failure they always go. */
  readonly removeContainers?: boolean;
  /** Remove unwanted images even where a container uses them. */
  readonly forceRemoveImages?: boolean;
  /** Keep the untagged parents of unwanted images. */
  readonly noPruneImages?: boolean;
  /** Allow `after_build_command`, which runs on this machine. */
  readonly allowAfterBuildCommands?: boolean;
  readonly secrets?: SecretOptions;
  /** Variables of `env`, or of the process, whose values count as secret: they are shown nowhere, and the proof searches them. */
  readonly secretEnv?: readonly string[];
  /** Search what stays for the secrets before names are given; default true. */
  readonly proof?: boolean;
  /** Search the base layers as well, which other images may share. */
  readonly proofBase?: boolean;
  /** Write the result of the search to this file, as JSON. */
  readonly proofFile?: string;
  readonly engine?: EngineAddress;
  /** Called synchronously with every event, in order. Must not throw. */
  readonly emit?: Emit;
  readonly log?: Logger;
  /** Stops the build: what works is stopped, what was made is removed, then the promise settles. */
  readonly signal?: AbortSignal;
}

export interface BuildResult {
  readonly session: string;
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly durationMs: number;
  /** Why it was stopped, e.g. `the build took longer than 10m`; absent where nothing stopped it. */
  readonly reason?: string;
  /** In the order of the plan. */
  readonly steps: readonly StepResult[];
  /** What the search for secrets has found; absent where there was none to make. With findings the build has failed. */
  readonly proof?: ProofReport;
}

export interface StepResult {
  readonly label: string;
  /** The name the plan gives it, `repository:tag`, whether or not it was given. */
  readonly imageName: string;
  readonly status: StepStatus;
  /** 0 where the step never started. */
  readonly durationMs: number;
  /** The built image, when there is one. */
  readonly imageId?: string;
  /** The names its image has after the build; empty when it did not stay. */
  readonly names: readonly string[];
  /** Why it was skipped or cancelled, e.g. `compile failed`. */
  readonly reason?: string;
  readonly failure?: Failure;
}

/**
 * Build everything that the build file asks for. A failed or cancelled build resolves, with its status.
 * Rejects with UsageError (options or files are wrong; nothing was built) or EngineError, and where it is stopped before the
 * first step with TimeoutError or the signal's reason.
 */
export type Build = (options: BuildOptions) => Promise<BuildResult>;

/** Either a sentence, or fields and a sentence. */
export interface LogMethod {
  (message: string): void;
  (fields: Readonly<Record<string, unknown>>, message?: string): void;
}

/** Diagnostics of the program itself; a pino logger is one. */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}
