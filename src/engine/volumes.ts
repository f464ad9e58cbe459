/** Volumes that nothing mounts: what all users of an engine see under a name that it allows once. */
import { isDeepStrictEqual } from 'node:util';
import { EngineError } from '../core/errors.js';
import type { LabelledVolume } from '../core/ports.js';
import { textOf } from './shape.js';
import type { Transport } from './transport.js';

/** The parts of the Engine API's volume that are read. */
interface InspectedVolume {
  readonly Name: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

/** See `Engine.createVolume`. */
export async function createVolume(
  transport: Transport,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<LabelledVolume> {
  const purpose = `create the volume ${name}`;
  const answer = await transport.json({
    method: 'POST',
    path: '/volumes/create',
    // Without a driver an engine asks all its plugins whether one has a volume of this name.
    body: { Name: name, Driver: 'local', Labels: labels },
    // Whoever asks a second time is told of what the first call has made.
    pace: 'quick',
    purpose,
  });
  textOf(answer, 'Name', purpose);
  return toVolume(answer as InspectedVolume);
}

export async function findVolume(transport: Transport, name: string): Promise<LabelledVolume | undefined> {
  const purpose = `look for the volume ${name}`;
  try {
    const answer = await transport.json({ method: 'GET', path: `/volumes/${name}`, purpose });
    textOf(answer, 'Name', purpose);
    return toVolume(answer as InspectedVolume);
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return undefined;
    throw error;
  }
}

export async function listVolumes(transport: Transport, label: string): Promise<readonly LabelledVolume[]> {
  const answer = await transport.json({
    method: 'GET',
    path: '/volumes',
    query: { filters: JSON.stringify({ label: [label] }) },
    purpose: 'list volumes',
  });
  const { Volumes: volumes } = answer as { Volumes?: readonly InspectedVolume[] | null };
  return (volumes ?? []).map(toVolume);
}

/** See `Engine.removeVolume`. */
export async function removeVolume(transport: Transport, { name, labels }: LabelledVolume): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const found = await findVolume(transport, name);
    if (found === undefined || !isDeepStrictEqual(found.labels, labels)) return;
    try {
      await transport.json({
        method: 'DELETE',
        path: `/volumes/${name}`,
        // Where the answer is lost, somebody else may have a volume of this name by the time it would be sent again.
        pace: 'once',
        purpose: `remove the volume ${name}`,
      });
      return;
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return;
      if (tries === REMOVAL_TRIES) throw error;
    }
  }
}

const REMOVAL_TRIES = 3;

function toVolume({ Name: name, Labels: labels }: InspectedVolume): LabelledVolume {
  return { name, labels: labels ?? {} };
}
