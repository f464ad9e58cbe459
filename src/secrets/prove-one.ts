/** The command that searches one image for secrets. */
import { readFile } from 'node:fs/promises';
import { UsageError } from '../core/errors.js';
import type { EmitImageEvent, ProveResult, ProveSecret } from '../core/image-api.js';
import { findImage, readFailure, type Connect, type ImageInput } from '../core/image-input.js';
import { asPhase, metered } from '../core/image-progress.js';
import { countStaying, type Stays } from '../core/squash-base.js';
import { needlesOf } from './encodings.js';
import { Matcher } from './matcher.js';
import { proveImage } from './prove-image.js';
import { describeUnsearched, whereIn } from './search-words.js';

interface NamedSecret {
  readonly name: string;
  readonly value: Buffer;
}

export interface ProofOrder {
  readonly input: ImageInput;
  /** The layers that are not searched; absent: none. */
  readonly stays: Stays | undefined;
  readonly secrets: readonly NamedSecret[];
}

/** @throws UsageError for what is not set, not there or empty */
export async function readNamedSecrets(
  secrets: readonly ProveSecret[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly NamedSecret[]> {
  return Promise.all(
    secrets.map(async ({ name, source }) => {
      const value = 'env' in source ? Buffer.from(env[source.env] ?? '') : await readSecretFile(source.file);
      if (value.length > 0) return { name, value };
      const what = 'env' in source ? `variable ${source.env}` : `file ${JSON.stringify(source.file)}`;
      throw new UsageError(`the secret ${name} cannot be searched for: the ${what} is empty or not set`, {
        hint: 'Give --secret env:NAME a variable that is set, or --secret file:PATH a file with the value.',
      });
    }),
  );
}

async function readSecretFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`the secret in ${JSON.stringify(path)} cannot be read: ${why}`, { cause: error });
  }
}

/** @throws UsageError, EngineError, or the signal's reason */
export async function proveOne(
  { input, stays, secrets }: ProofOrder,
  connect: Connect,
  emit: EmitImageEvent,
  signal: AbortSignal,
): Promise<ProveResult> {
  const { needles, unproven } = needlesOf(secrets);
  const image = await findImage(input, connect, emit, signal);
  const baseLayers = stays === undefined ? 0 : await countStaying(stays, image, connect, emit, signal);
  if (needles.length === 0) {
    return { clean: true, findings: [], unproven, layers: [], limits: [], bytes: 0 };
  }
  const names = image.kind === 'image' ? image.description.names : image.listed.tags;
  const config = image.kind === 'file' ? { config: image.listed.configDigest } : {};
  const subject = image.label.slice(1, -1);
  const total = image.kind === 'file' ? { total: image.size } : {};
  try {
    const proof = await asPhase({ phase: 'read', subject, ...total }, emit, async (count) =>
      proveImage(
        metered(await image.open(signal), count),
        { diffIds: image.layers, baseLayers, names, ...config },
        new Matcher(needles),
        signal,
      ),
    );
    return {
      clean: proof.findings.length === 0,
      findings: proof.findings.map(({ secret, encoding, place }) => ({
        secret,
        encoding,
        ...whereIn(place),
      })),
      unproven,
      layers: proof.layers,
      limits: proof.limits.map(describeUnsearched),
      bytes: proof.bytes,
    };
  } catch (error) {
    signal.throwIfAborted();
    throw readFailure(error, `${image.label} cannot be searched`);
  }
}
