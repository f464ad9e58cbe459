/** The table of calls and faults: which call is broken where, and how. */
import type { Subject } from './build-project.js';
import type { Fault, Point, SeenCall } from './fault-proxy.js';
import type { Kind } from './fault-scene.js';

/** How much is tried of one engine: each call at each place, or a sample. */
export type Extent = 'each' | 'few';

export type Place = 'start' | 'middle' | 'end' | 'upload';

export interface Blow {
  readonly place: Place;
  readonly fault: Fault;
}

/** One call that is broken in one build after another. */
export interface Case {
  readonly name: string;
  readonly kind: Kind;
  /** Method and shape. */
  readonly call: string;
  readonly blows: readonly Blow[];
}

/** With `HABITUS_FAULTS=all` every fault is tried at every place of every call: many minutes for each engine. */
const isWhole = process.env['HABITUS_FAULTS'] === 'all';

/** Only where another build, or a dead one, has left something. */
export const OCCASIONAL = ['GET /containers/{id}/json'];

/** Every kind of call that a build makes, and the scene in which it is broken. */
const CALLS: readonly (readonly [string, Kind])[] = [
  ['GET /_ping', 'squash'],
  ['POST /containers/{id}/wait', 'hand-off'],
  ['GET /info', 'squash'],
  ['POST /containers/{id}/attach', 'hand-off'],
  ['GET /containers/json', 'hand-off'],
  ['GET /images/json', 'squash'],
  ['POST /build', 'hand-off'],
  ['GET /images/{id}/json', 'squash'],
  ['POST /containers/create', 'squash'],
  ['POST /containers/{id}/start', 'squash'],
  ['POST /containers/{id}/exec', 'squash'],
  ['POST /exec/{id}/start', 'squash'],
  ['GET /exec/{id}/json', 'squash'],
  ['POST /containers/{id}/kill', 'squash'],
  ['POST /commit', 'squash'],
  ['DELETE /containers/{id}', 'hand-off'],
  ['GET /images/get', 'squash'],
  ['POST /images/load', 'squash'],
  ['POST /images/{id}/tag', 'hand-off'],
  ['DELETE /images/{id}', 'squash'],
  ['GET /containers/{id}/archive', 'hand-off'],
  ['POST /volumes/create', 'squash'],
  ['GET /volumes/{id}', 'hand-off'],
  ['DELETE /volumes/{id}', 'squash'],
];
const SESSION = ['POST /session', 'hand-off'] as const;
const BUILDKIT_CALLS: readonly (readonly [string, Kind])[] = [
  ['GET /system/df', 'squash'],
  ['POST /build/prune', 'squash'],
];

const BREAKS: readonly Fault[] = ['cut', 'reset', 'half-close'];
const LIES: readonly Fault[] = ['refusal', 'page', 'garbage', 'noise', 'corrupt'];
const PLACES: readonly Place[] = ['start', 'middle', 'end'];

export function table(subject: Subject): ReadonlyMap<string, Kind> {
  if (subject.builder === 'buildkit') return new Map([...CALLS, SESSION, ...BUILDKIT_CALLS]);
  return new Map(asksForSessions(subject) ? [...CALLS, SESSION] : CALLS);
}

/** Docker 20.10 does not say that it has BuildKit: there the first `POST /session` only asks whether there is such a thing. */
const asksForSessions = ({ engine }: Subject): boolean => engine.name === 'e20';

/** What happens once however often it is asked for: such calls are sent again. */
export function isRepeatable({ method, shape }: Pick<SeenCall, 'method' | 'shape'>): boolean {
  return method !== 'POST' || /\/(?:kill|tag)$|^\/volumes\/create$/.test(shape);
}

/** Whose answers are passed on while they come: nothing of them can be asked for again. */
export function isStream({ shape }: Pick<SeenCall, 'shape'>): boolean {
  return shape === '/images/get' || shape.endsWith('/archive');
}

export const textOf = ({ method, shape }: Pick<SeenCall, 'method' | 'shape'>): string => `${method} ${shape}`;

export function callOf(text: string): Pick<SeenCall, 'method' | 'shape'> {
  const [method = '', shape = ''] = text.split(' ');
  return { method, shape };
}

/** Which of its kind is broken. */
export const nthOf = (call: string, subject: Subject): number =>
  call === 'POST /session' && subject.builder === 'buildkit' && asksForSessions(subject) ? 2 : 1;

export function pointOf(place: Place, { sent, received }: SeenCall): Point {
  switch (place) {
    case 'start':
      return { in: 'answer', after: 0 };
    case 'middle':
      return { in: 'answer', after: Math.floor(received / 2) };
    case 'end':
      return { in: 'answer', after: received - 1 };
    case 'upload':
      return { in: 'request', after: Math.floor(sent / 2) };
  }
}

export function casesFor(subject: Subject, extent: Extent): readonly Case[] {
  return [...table(subject)]
    .map(([call, kind], index) => ({ call, kind, blows: blowsOf(call, subject, index) }))
    .filter(({ blows }, index) => blows.length > 0 && (isWhole || extent === 'each' || index % 8 === 6))
    .map((each) => ({ ...each, name: `${each.call}: ${each.blows.map(wordsOf).join(', ')}` }));
}

function blowsOf(call: string, subject: Subject, index: number): readonly Blow[] {
  const places = uploads(call, subject) ? [...PLACES, 'upload' as const] : PLACES;
  if (isWhole) {
    const breaks = places.flatMap((place) =>
      [...BREAKS, 'silence' as const].map((fault) => ({ place, fault })),
    );
    const lies = LIES.map((fault) => ({ place: 'start' as const, fault }));
    return [...breaks, ...lies, { place: 'middle', fault: 'corrupt' }, { place: 'start', fault: 'stall' }];
  }
  // Those that are sent again are broken all at once elsewhere.
  const isBrokenElsewhere = isRepeatable(callOf(call)) && !isStream(callOf(call));
  const broken = isBrokenElsewhere
    ? []
    : places.map((place, at) => ({ place, fault: pick(BREAKS, index + at) }));
  const lie = pick(LIES, index);
  return [...broken, { place: lie === 'corrupt' ? 'middle' : 'start', fault: lie }, ...(STALLS[call] ?? [])];
}

const wordsOf = ({ fault, place }: Blow): string => `${fault} at ${place}`;

/** Each is waited for. */
const STALLS: Readonly<Record<string, readonly Blow[]>> = {
  'GET /info': [{ place: 'middle', fault: 'stall' }],
  'POST /build': [{ place: 'middle', fault: 'silence' }],
  'POST /images/load': [{ place: 'upload', fault: 'silence' }],
  'POST /containers/{id}/wait': [{ place: 'start', fault: 'silence' }],
};

function uploads(call: string, { builder }: Subject): boolean {
  return call === 'POST /images/load' || call === (builder === 'classic' ? 'POST /build' : 'POST /session');
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('nothing to choose from');
  return item;
}
