/** The commands `habitus sessions` and `habitus gc`. */
import { EXIT } from '../core/errors.js';
import type { CollectedSession, GcResult, SessionSummary } from '../core/session-api.js';
import { formatBytes } from '../report/bytes.js';
import { formatDuration } from '../report/duration.js';
import { toJson } from '../report/json.js';
import { sanitize } from '../report/sanitize.js';
import { createPaint, MARKS, plural, type Paint } from '../report/style.js';
import type { Appearance } from './appearance.js';
import type { SessionCommandLine } from './session-command-line.js';
import { watchSignals } from './signals.js';
import type { World } from './world.js';

/**
 * @returns the exit status: 1 where something could not be removed
 * @throws what the library throws; the signal that stopped it
 */
export async function runSessionCommand(
  { command, options, display: { json } }: SessionCommandLine,
  { color }: Appearance,
  world: World,
): Promise<number> {
  const paint = createPaint(color);
  const say = (lines: readonly string[]): void => {
    for (const line of lines) world.stdout.write(`${line}\n`);
  };
  using watch = watchSignals(world, {
    first: () => undefined,
    second: () => undefined,
  });
  const { signal } = watch;
  try {
    const { listSessions, collectGarbage } = await world.loadLibrary();
    switch (command) {
      case 'sessions': {
        const sessions = await listSessions({ ...options, signal });
        say(json ? [toJson(sessions)] : describeSessions(sessions, Date.now(), paint));
        return EXIT.ok;
      }
      case 'gc': {
        const result = await collectGarbage({ ...options, signal });
        say(json ? [toJson(result)] : describeGarbage(result, paint));
        return result.collected.some(({ problems }) => problems.length > 0) ? EXIT.buildFailed : EXIT.ok;
      }
    }
  } catch (error) {
    // Whatever stopped work rejects with, the cause is the signal.
    throw watch.interrupted ?? error;
  }
}

const TONES = { running: 'good', dead: 'bad', unknown: 'warning' } as const;

/** A table, or a sentence where there is none. */
export function describeSessions(
  sessions: readonly SessionSummary[],
  now: number,
  paint: Paint,
): readonly string[] {
  if (sessions.length === 0) return ['no session holds anything on this engine'];
  const heads = ['SESSION', 'STATE', 'BEGAN', 'OWNER', 'CONTAINERS', 'VOLUMES', 'IMAGES', 'NAMES', 'SIZE'];
  const rows = sessions.map(({ session, state, began, pid, containers, volumes, images, names, bytes }) => [
    session,
    state,
    `${formatDuration(Math.max(0, now - began))} ago`,
    pid === undefined ? 'elsewhere' : `process ${pid}`,
    String(containers),
    String(volumes),
    String(images),
    String(names),
    formatBytes(bytes),
  ]);
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (
    cells: readonly string[],
    tone: (column: number) => Parameters<Paint>[0] | undefined,
  ): string =>
    cells
      .map((cell, column) => {
        const padded = column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
        const chosen = tone(column);
        return chosen === undefined ? padded : paint(chosen, padded);
      })
      .join('  ');
  return [
    line(heads, () => 'quiet'),
    ...rows.map((row, index) => {
      const state = sessions[index]?.state ?? 'unknown';
      return line(row, (column) => (column === 1 ? TONES[state] : undefined));
    }),
  ];
}

/** What was removed, session by session, and what stayed. */
export function describeGarbage({ dryRun, collected, kept }: GcResult, paint: Paint): readonly string[] {
  const stay =
    kept.length === 0
      ? []
      : [`${plural(kept.length, 'session')} left alone: ${kept.map(howKept).join(', ')}`];
  if (collected.length === 0) return [`${MARKS.succeeded.symbol} nothing to collect`, ...stay];
  const { symbol, tone } = MARKS.succeeded;
  return [
    ...collected.flatMap((one) => [
      `${dryRun ? 'would collect' : `${paint(tone, symbol)} collected`} ${one.session}: ${describeOne(one)}`,
      ...describePromotion(one),
      ...one.problems.map((problem) => `  ${paint('warning', 'left:')} ${sanitize(problem)}`),
    ]),
    ...stay,
  ];
}

function describeOne({ containers, volumes, images }: CollectedSession): string {
  const parts = [plural(containers, 'container'), plural(images, 'image')];
  // Few die while they hold one.
  if (volumes > 0) parts.push(plural(volumes, 'volume'));
  return parts.join(', ');
}

function describePromotion({ promotion }: CollectedSession): readonly string[] {
  if (promotion === undefined) return [];
  const names = promotion.names.map(sanitize).join(', ');
  switch (promotion.how) {
    case 'finished':
      return [`  it died while it gave names, which are all given now: ${names}`];
    case 'undone':
      return [`  it died while it gave names, which are what they were before: ${names}`];
  }
}

function howKept({ session, state }: SessionSummary): string {
  return state === 'running' ? `${session} is running` : `${session} is of another host`;
}
