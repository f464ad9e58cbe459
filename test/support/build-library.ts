/** Builds projects through the library, in this process, and keeps what it told. */
import { build, type BuildEvent, type BuildOptions, type BuildResult } from '../../src/index.js';
import type { Project, Subject } from './build-project.js';

export interface Built {
  readonly result: BuildResult;
  readonly events: readonly BuildEvent[];
  /** Lines of output, of builds and commands, of all steps. */
  readonly output: readonly string[];
}

/** Everything is built, unless the options say otherwise. @throws what `build` throws */
export async function buildProject(
  { engine, builder }: Subject,
  { directory }: Project,
  options: BuildOptions = {},
): Promise<Built> {
  const events: BuildEvent[] = [];
  const result = await build({
    workDirectory: directory,
    builder,
    engine: { host: engine.host },
    fingerprint: false,
    ...options,
    emit: (event) => {
      events.push(event);
      options.emit?.(event);
    },
  });
  const output = events.flatMap((event) => (event.type === 'output' ? [event.line] : []));
  return { result, events, output };
}

/** Like `buildProject`, for a build that has to succeed. @throws Error that tells the failures */
export async function built(subject: Subject, project: Project, options: BuildOptions = {}): Promise<Built> {
  const told = await buildProject(subject, project, options);
  if (told.result.status === 'succeeded') return told;
  const failures = told.result.steps.map(({ label, status, failure }) => ({ label, status, failure }));
  throw new Error(`the build ${told.result.status}: ${JSON.stringify(failures, null, 1)}`);
}

/** Label and failure of the first failed step. */
export function failureOf({
  steps,
}: BuildResult): { step: string; message: string; hint?: string } | undefined {
  const failed = steps.find(({ failure }) => failure !== undefined);
  if (failed?.failure === undefined) return undefined;
  const { message, hint } = failed.failure;
  return { step: failed.label, message, ...(hint !== undefined && { hint }) };
}

/** When something was told, in milliseconds. */
export function timeOf(events: readonly BuildEvent[], type: BuildEvent['type'], step: string): number {
  const found = events.find((event) => event.type === type && 'step' in event && event.step === step);
  if (found === undefined) throw new Error(`no ${type} of ${step}`);
  return found.at;
}
