/**
 * One squash in a process of its own, so that its peak of memory is its own. Prints JSON.
 *
 *     node squash-worker.js HOST IMAGE BASE [FILE]     with FILE: only write the archive that would be loaded
 */
import { readFileSync, createWriteStream } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { pipeline } from 'node:stream/promises';
import { Session } from '../../dist/core/session.js';
import { squashImage } from '../../dist/core/squash.js';
import { targetFor } from '../../dist/core/squash-load.js';
import { connect } from '../../dist/engine/connect.js';
import { composeLoadArchive } from '../../dist/image/compose.js';
import { mergeLayers } from '../../dist/image/merged-layer.js';
import { spoolImageArchive } from '../../dist/image/spool.js';

const [host, image, base, file] = process.argv.slice(2);
const { signal } = new globalThis.AbortController();
const engine = await connect({ host, env: {} }, signal);
const built = await engine.describeImage(image);
const result = file === undefined ? await squash() : await prepare();
await engine.close();
const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
console.log(JSON.stringify({ ...result, peakMegabytes: Number(peak) / 1024 }));

async function squash() {
  const session = new Session(engine, ['bench']);
  const tag = session.tagOf('bench');
  await engine.tagImage(image, tag);
  const request = { scope: 'base', base: { kind: 'image', reference: base }, built, tag, source: tag };
  const started = performance.now();
  const { stats } = await squashImage(request, engine, session, signal);
  const seconds = (performance.now() - started) / 1000;
  await session.dispose({ force: true, noPrune: false });
  return { seconds, megabytes: stats.bytesBefore / 1e6 };
}

async function prepare() {
  const baseLayers = (await engine.describeImage(base)).layers.length;
  const saved = await engine.archives.saveImages([image], signal);
  const archive = await spoolImageArchive(saved, { diffIds: built.layers, baseLayers }, signal);
  const layer = await mergeLayers(archive);
  const target = targetFor(engine, archive, baseLayers);
  const load = composeLoadArchive({ config: archive.config, baseLayers, layer, target });
  await pipeline(load.stream(signal), createWriteStream(file));
  await archive[Symbol.asyncDispose]();
  return { imageId: load.prediction().imageId };
}
