/** The engine's own part of a squash, by its plain API: save to nowhere, load what was prepared. */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { pipeline } from 'node:stream/promises';

/** @returns a function that makes one request and reads its answer to the end; resolves with the answer's bytes or text */
export function peer(host) {
  const target = host.startsWith('unix://')
    ? { socketPath: host.slice('unix://'.length) }
    : { host: new URL(host).hostname, port: new URL(host).port };
  return async (method, path, { file, json, keep = true } = {}) => {
    const type = file === undefined ? 'application/json' : 'application/x-tar';
    const call = request({ ...target, method, path, agent: false, headers: { 'Content-Type': type } });
    const answered = once(call, 'response');
    if (file === undefined) call.end(json === undefined ? undefined : JSON.stringify(json));
    else await pipeline(createReadStream(file), call);
    const [answer] = await answered;
    let [bytes, text] = [0, ''];
    for await (const chunk of answer) {
      bytes += chunk.length;
      if (keep) text += chunk;
    }
    if (answer.statusCode >= 400 || /"error"|"Error /.test(text)) throw new Error(`${path}: ${text}`);
    return keep ? text : bytes;
  };
}

/** @returns seconds that it took, and what came out of it */
export async function timed(work) {
  const started = performance.now();
  const result = await work();
  return { seconds: (performance.now() - started) / 1000, result };
}
