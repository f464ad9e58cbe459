/** What the package does with single images: squash, check and prove. */
import { readImageInput, readNewName, readStays } from './config/image-words.js';
import { checkOne } from './core/check-image.js';
import type {
  CheckImageOptions,
  ImageCheck,
  ProveOptions,
  ProveResult,
  SquashOptions,
  SquashResult,
} from './core/image-api.js';
import type { Connect } from './core/image-input.js';
import type { Engine } from './core/ports.js';
import { squashOne } from './core/squash-one.js';
import { userFolder } from './core/user-folder.js';
import { connect } from './engine/connect.js';
import { proveOne, readNamedSecrets } from './secrets/prove-one.js';
import { checkReportFile, writeReport } from './secrets/report-file.js';

/**
 * Make one layer of an image's layers, or of those above a base. The original image stays as it is; at most its name moves.
 * @throws {UsageError} the options or the image are wrong
 * @throws {ImageCommandError} there is no room, or the output broke
 * @throws {EngineError} no engine answers, or it failed; files alone need no engine
 * @throws the reason of `options.signal`; nothing is left, whatever is thrown
 */
export async function squash(options: SquashOptions): Promise<SquashResult> {
  const order = {
    input: readImageInput(options.image),
    stays: readStays(options.from),
    names: [...new Set((options.tags ?? []).map(readNewName))],
    output: options.output,
  };
  const folder = userFolder(process.env);
  return withEngine(options, (connect, emit, signal) => squashOne(order, { connect, folder, emit, signal }));
}

/**
 * Recompute every digest and size of an image or archive. What is wrong with it is in the result.
 * @throws {UsageError} there is no such image or file
 * @throws {EngineError} no engine answers, or it failed; files need no engine
 */
export async function checkImage(options: CheckImageOptions): Promise<ImageCheck> {
  const input = readImageInput(options.image);
  return withEngine(options, (connect, emit, signal) => checkOne(input, connect, emit, signal));
}

/**
 * Search an image or archive for secrets. What is found is in the result, never a value.
 * @throws {UsageError} there is no such image or file, or a secret cannot be read
 * @throws {EngineError} no engine answers, or it failed; files need no engine
 */
export async function prove(options: ProveOptions): Promise<ProveResult> {
  const input = readImageInput(options.image);
  if (options.proofFile !== undefined) await checkReportFile(options.proofFile);
  const stays = options.base === undefined ? undefined : readStays(options.base);
  const secrets = await readNamedSecrets(options.secrets, process.env);
  const result = await withEngine(options, (connect, emit, signal) =>
    proveOne({ input, stays, secrets }, connect, emit, signal),
  );
  if (options.proofFile !== undefined) await writeReport(options.proofFile, result);
  return result;
}

/** With an engine that is connected at the first need of it. */
async function withEngine<T>(
  options: Pick<SquashOptions, 'engine' | 'emit' | 'signal'>,
  work: (connect: Connect, emit: NonNullable<SquashOptions['emit']>, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { emit = () => undefined, signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  let engine: Promise<Engine> | undefined;
  try {
    const found = () => (engine ??= connect({ ...options.engine, env: process.env }, signal));
    return await work(found, emit, signal);
  } finally {
    await engine?.then(
      (connected) => connected.close(),
      // Who asked for it has got this error.
      () => undefined,
    );
  }
}
