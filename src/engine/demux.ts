/** The multiplexed output stream of containers without a terminal, taken apart as it arrives. */
import type { Readable } from 'node:stream';
import { EngineError } from '../core/errors.js';

const HEADER = 8;

/**
 * Pass each piece to `onData` until the stream ends. A frame is 1 byte of stream number, 3 zero bytes, 4 bytes of
 * length, and the data; frames may be of any size and are never held whole.
 * Source: https://docs.docker.com/reference/api/engine/version/v1.51/#tag/Container/operation/ContainerAttach
 */
export async function demultiplex(
  source: Readable,
  onData: (stream: 'stdout' | 'stderr', chunk: Buffer) => void,
): Promise<void> {
  let header = Buffer.alloc(0);
  let stream: 'stdout' | 'stderr' = 'stdout';
  let left = 0;
  for await (const piece of source) {
    let chunk = piece as Buffer;
    while (chunk.length > 0) {
      if (left > 0) {
        onData(stream, chunk.subarray(0, left));
        const taken = Math.min(left, chunk.length);
        left -= taken;
        chunk = chunk.subarray(taken);
        continue;
      }
      const wanted = HEADER - header.length;
      header = Buffer.concat([header, chunk.subarray(0, wanted)]);
      chunk = chunk.subarray(wanted);
      if (header.length < HEADER) break;
      stream = streamOf(header);
      left = header.readUInt32BE(4);
      header = Buffer.alloc(0);
    }
  }
  if (left > 0 || header.length > 0)
    throw new EngineError("The container's output ended in the middle of a frame");
}

function streamOf(header: Buffer): 'stdout' | 'stderr' {
  switch (header.readUInt8(0)) {
    case 0:
    case 1:
      return 'stdout';
    case 2:
      return 'stderr';
    default:
      throw new EngineError("The container's output is not in the engine's multiplexed format");
  }
}
