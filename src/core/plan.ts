/** The immutable plan of one build: what `config` makes of the files, and all that `core` needs to run it. */

/** The versions of the build file format, oldest first. */
export const SCHEMA_VERSIONS = ['2016-02-13', '2016-03-14', '2026-11-22'] as const;
export type SchemaVersion = (typeof SCHEMA_VERSIONS)[number];

export interface Plan {
  /** Absolute path of the build file. */
  readonly file: string;
  /** Absolute path of the work directory (`-d`). */
  readonly workDirectory: string;
  readonly version: SchemaVersion;
  /** In topological order: a step comes after all the steps it depends on; ties in the order of the file. */
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  /** The step's key in the build file: unique, shown to users. */
  readonly label: string;
  /** The final image name with its tag and the `--uid` suffix applied: `repository:tag`, e.g. `app-7:latest`. */
  readonly imageName: string;
  /** Labels of the steps this one waits for: `depends_on` and every step whose image the Dockerfile uses. */
  readonly dependsOn: readonly string[];
  /** Absolute path of the context folder. */
  readonly context: string;
  readonly dockerfile: PlannedDockerfile;
  /** The stage to stop at; absent: the last one. */
  readonly target?: string;
  /** Build args of this step: the step's own over those of `--build`. */
  readonly args: Readonly<Record<string, string>>;
  readonly noCache: boolean;
  readonly artifacts: readonly ArtifactSpec[];
  readonly base: PlannedBase;
  /** Absent when the step has none, or with `--no-cleanup`. */
  readonly cleanup?: CleanupSpec;
  /** Absent: the layers stay as they were built. */
  readonly squash?: SquashScope;
  readonly secrets: readonly SecretSpec[];
  readonly ssh: readonly SshSpec[];
  /** Shell command line, run in a container of the step's image. */
  readonly command?: string;
  /** Leave the command out where it has succeeded in the same image before. */
  readonly commandCache: boolean;
  /** Shell command line, run on the host; only set where `--after-build-commands` allows it. */
  readonly afterBuildCommand?: string;
  /** How long the step may work, in whole milliseconds from 1; absent: for ever. */
  readonly timeoutMs?: number;
  /** Whether the image gets its name and stays after the build. */
  readonly keep: boolean;
}

export interface PlannedDockerfile {
  /** Absolute path, as found. */
  readonly path: string;
  /** The file as read when the plan was made: later edits do not change a running build. */
  readonly content: Buffer;
  /** Every place that names another step's image; disjoint, ascending. */
  readonly references: readonly StepReference[];
  /** Content of `<Dockerfile>.dockerignore` or the context's `.dockerignore`, absent when there is none. */
  readonly ignore?: string;
}

/** A byte range `[start, end)` of a Dockerfile that names the image of the step `label`. */
export interface StepReference {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

export interface ArtifactSpec {
  /** Absolute path in the image of a file, folder or link, cleaned (no `.`/`..`/trailing slash). */
  readonly source: string;
  /** Folder relative to the work directory, cleaned, `/`-separated; `''` is the work directory itself. */
  readonly destination: string;
}

export interface CleanupSpec {
  /** In order; a string goes through the image's SHELL, a list is executed as it is. */
  readonly commands: readonly (string | readonly string[])[];
  /** `USER` of the commands; absent: the image's. */
  readonly user?: string;
  /** Absent: the network of RUN. */
  readonly network?: 'none';
}

/** What becomes one layer: all above the step's base image, or everything. */
export type SquashScope = 'base' | 'scratch';

/** What a step's image is built on: the FROM of its last stage, followed through stages of the same file. */
export type PlannedBase =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'step'; readonly label: string }
  /** As the Dockerfile names it, variables expanded. */
  | { readonly kind: 'image'; readonly reference: string };

/** Where a secret comes from. */
export interface SecretSpec {
  /** Without `/`: unique in its step. */
  readonly name: string;
  readonly type: 'file' | 'env' | 'command';
  /** An absolute path (`file`), the whole name of a variable (`env`), or a shell command line that prints it (`command`). */
  readonly value: string;
}

/** What `RUN --mount=type=ssh` may use. */
export interface SshSpec {
  /** As in `--mount=type=ssh,id=`; `default` where none is given. */
  readonly id: string;
  /** Absolute paths: of one agent's socket, or of private keys; none: the agent of `SSH_AUTH_SOCK`. */
  readonly sources: readonly string[];
}
