/** How displays say what a step is doing. */
import type { StepPhase } from '../core/events.js';
import type { Builder } from '../core/ports.js';
import { firstLine, sanitize } from './sanitize.js';
import { plural } from './style.js';
import type { View } from './view.js';

const PHASES = {
  build: 'building',
  cleanup: 'cleaning up',
  squash: 'squashing',
  artifacts: 'copying artifacts',
  command: 'running the command',
  after_build_command: 'running after_build_command',
} as const satisfies Record<StepPhase, string>;

export const BUILDERS = {
  classic: 'classic builder',
  buildkit: 'BuildKit',
} as const satisfies Record<Builder, string>;

/** A phase with its detail, e.g. `cleaning up: rm -rf /root/.ssh`. */
export function describePhase(phase: StepPhase, detail: string | undefined): string {
  return detail === undefined ? PHASES[phase] : `${PHASES[phase]}: ${firstLine(detail)}`;
}

/** The first line of a build's report: who builds, where, how much at once. */
export function describeBuild(build: NonNullable<View['build']>, steps: number): string {
  return [
    `session ${sanitize(build.session)}`,
    sanitize(build.engine),
    BUILDERS[build.builder],
    `${plural(steps, 'step')}, ${plural(build.jobs, 'job')}`,
  ].join(' · ');
}
