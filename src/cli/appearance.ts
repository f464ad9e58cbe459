/** Decides how progress is displayed: what was asked for, else what the terminal is able to show. */
import type { ReporterKind } from '../report/reporter.js';
import type { Display } from './command-line.js';
import type { World } from './world.js';

export interface Appearance {
  readonly kind: ReporterKind;
  readonly color: boolean;
}

/** Heeds NO_COLOR (https://no-color.org), FORCE_COLOR, TERM and CI. */
export function chooseAppearance(
  { progress, pretty }: Pick<Display, 'progress' | 'pretty'>,
  { stderr, env }: Pick<World, 'stderr' | 'env'>,
): Appearance {
  const isSet = (name: string): boolean => (env[name] ?? '') !== '';
  const capable = stderr.isTTY === true && env['TERM'] !== 'dumb';
  const forced = isSet('FORCE_COLOR') && env['FORCE_COLOR'] !== '0';
  return {
    kind: progress === 'auto' ? (capable && pretty && !isSet('CI') ? 'tty' : 'plain') : progress,
    color: pretty && !isSet('NO_COLOR') && (capable || forced),
  };
}
