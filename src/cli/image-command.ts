/** What the commands on single images have in common: the display, and signals that stop them in order. */
import type { EmitImageEvent } from '../core/image-api.js';
import { createPaint, type Paint } from '../report/style.js';
import type { Appearance } from './appearance.js';
import { createImageDisplay } from './image-display.js';
import { watchSignals } from './signals.js';
import type { World } from './world.js';

export interface ImageWork {
  readonly emit: EmitImageEvent;
  readonly signal: AbortSignal;
  readonly paint: Paint;
  /** A line on standard error. */
  readonly tell: (text: string) => void;
}

/** @throws what the work throws; the signal that stopped it */
export async function runImageCommand<T>(
  { kind, color }: Appearance,
  world: World,
  work: (tools: ImageWork) => Promise<T>,
): Promise<T> {
  const display = createImageDisplay(kind, world.stderr);
  const paint = createPaint(color && kind !== 'json');
  using watch = watchSignals(world, {
    first: (signal) => {
      display.tell(`note: ${signal}: stopping and cleaning up; a second one ends it at once`);
    },
    second: (signal) => {
      display.tell(
        `${paint('warning', 'warning:')} a second signal, ${signal}: ended at once; an image without a name or a hidden file ` +
          'beside the output, ending in .tmp, may be left',
      );
    },
  });
  try {
    return await work({ ...display, signal: watch.signal, paint });
  } catch (error) {
    // Whatever stopped work rejects with, the cause is the signal.
    throw watch.interrupted ?? error;
  } finally {
    display.close();
  }
}
