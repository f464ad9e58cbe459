/** Every text of this room that users read when an engine cannot be reached, is lost, or refuses a call. */
import { EngineError } from '../core/errors.js';
import type { EngineAddress } from './address.js';

/** What an engine says is told up to here; longer is a page of a proxy, or garbage. */
const MAX_WORDS = 500;

const RUNNING = 'Is the engine running? Start it, or name another with --host or DOCKER_HOST.';
const STOPPED = 'Did the engine stop or restart? Look at its log, then run this again.';

/** Why no answer came, or came only in part. */
export function unreachable(address: EngineAddress, cause: unknown, purpose?: string): EngineError {
  const { why, hint } = diagnose(address, cause);
  if (purpose === undefined) {
    return new EngineError(`No Docker Engine answers at ${address.url} (${address.from}): ${why}`, {
      cause,
      hint,
    });
  }
  if (isBroken(cause)) {
    const message = `The engine could not ${purpose}: the connection to ${address.url} broke`;
    return new EngineError(message, { cause, hint: STOPPED });
  }
  const { code, message } = cause as NodeJS.ErrnoException;
  // Not of the system: what came could not be understood.
  const isOfSystem = code !== undefined && !code.startsWith('HPE_');
  if (!isOfSystem && !/^ssh /.test(message)) return nonsense(purpose, why, cause);
  return new EngineError(
    `The engine could not ${purpose}: no answer at ${address.url} (${address.from}): ${why}`,
    { cause, hint },
  );
}

/** No connection came up, or no first answer, in time. */
export function silent(address: EngineAddress, ms: number): EngineError {
  return new EngineError(
    `The Docker Engine at ${address.url} (${address.from}) did not answer within ${seconds(ms)}`,
    {
      hint: 'Is it overloaded or behind a firewall? Try `docker version` with the same address.',
    },
  );
}

/** One call that should take no time was not answered. */
export function slow(address: EngineAddress, purpose: string, ms: number): EngineError {
  return new EngineError(
    `The engine could not ${purpose}: ${address.url} did not answer within ${seconds(ms)}`,
    { hint: 'Is the engine overloaded, or its disk? Look at its log, then run this again.' },
  );
}

/** The engine does not answer pings any more. */
export function lost(address: EngineAddress, ms: number): EngineError {
  return new EngineError(`The engine at ${address.url} has not answered for ${seconds(ms)}`, {
    hint: 'Is its host still up, and the network between? Run this again once `docker version` answers.',
  });
}

/** The engine, or what stands before it, answered with an error status. */
export function refusal(purpose: string, status: number, body: string): EngineError {
  const said = wordsOf(body);
  return complaint(purpose, said === '' ? `HTTP status ${status}` : said, status);
}

/** The engine says why it could not. */
export function complaint(purpose: string, said: string, status?: number): EngineError {
  return new EngineError(`The engine could not ${purpose}: ${printable(said)}`, {
    ...(status !== undefined && { status }),
    ...(NO_SPACE.pattern.test(said) && { hint: NO_SPACE.hint }),
  });
}

/** It answered, but not as the Engine API does. */
export function nonsense(purpose: string, what: string, cause?: unknown): EngineError {
  return new EngineError(`The engine could not ${purpose}: ${what}`, {
    cause,
    hint: 'Is there a proxy in between, or is it no Docker Engine? Try `docker version` with the same address.',
  });
}

/** A call that was sent so often in vain. */
export function afterTries(error: EngineError, tries: number): EngineError {
  return new EngineError(`${error.message}, after ${tries} tries`, {
    cause: error.cause,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

/** The build was at work when its connection was lost. */
export function brokenBuild(error: EngineError, instruction: string): EngineError {
  return new EngineError(`${error.message} while ${instruction} was at work`, {
    cause: error.cause,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

/** BuildKit could not ask for files or secrets any more. */
export function brokenSession(address: EngineAddress, cause: unknown): EngineError {
  return new EngineError(`The engine could not build: the build session at ${address.url} broke`, {
    cause,
    hint: STOPPED,
  });
}

export const NO_SPACE = {
  pattern: /no space left on device|disk quota exceeded/i,
  hint: 'Free space where the engine keeps its data: see `docker system df` and `docker system prune`.',
};

/** Whether the connection was there and is gone. */
export function isBroken(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** Whether asking again may help: the engine restarts, or the connection broke. */
export function isPassing(error: unknown): error is EngineError {
  if (!(error instanceof EngineError) || error.status !== undefined) return false;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause !== undefined && (isBroken(cause) || cause.code === 'ECONNREFUSED' || cause.code === 'ENOENT');
}

/** The engine's own sentence in the body of a refusal: `{"message":"No such image: x"}`; of a page its title. */
function wordsOf(body: string): string {
  let said: unknown = body;
  try {
    const parsed = JSON.parse(body) as { message?: unknown; error?: unknown } | null;
    said = parsed?.message ?? parsed?.error ?? body;
  } catch {
    const title = /<title[^>]*>([^<]*)<\/title>/i.exec(body)?.[1];
    if (/^\s*</.test(body)) said = title ?? '';
  }
  return printable(typeof said === 'string' ? said : body).replace(/\.$/, '');
}

/** On one line, without what a terminal would obey. */
function printable(text: string): string {
  const line = text
    .slice(0, 4 * MAX_WORDS)
    .replaceAll(/[\p{Cc}\p{Cf}\s\uFFFD]+/gu, ' ')
    .trim();
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS)}…` : line;
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toPrecision(2))} s`;
}

function diagnose(address: EngineAddress, cause: unknown): { why: string; hint: string } {
  const error = cause as NodeJS.ErrnoException;
  switch (error.code ?? '') {
    case 'ENOENT':
      return address.kind === 'ssh'
        ? { why: 'the program ssh is not installed', hint: 'Install an OpenSSH client.' }
        : { why: 'there is no such socket', hint: RUNNING };
    case 'ECONNREFUSED':
      return { why: 'connection refused', hint: RUNNING };
    case 'EACCES':
    case 'EPERM':
      return {
        why: 'permission denied',
        hint: 'Add yourself to the group docker (`sudo usermod -aG docker $USER`, then log in again), or run as root.',
      };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { why: 'the host name cannot be resolved', hint: 'Check the address and your network.' };
    case 'ECONNRESET':
    case 'EPIPE':
      return {
        why: 'the connection broke',
        hint: 'Did the engine stop? If it expects TLS, use --use-tls and --certs, or DOCKER_TLS_VERIFY.',
      };
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { why: 'the host cannot be reached', hint: 'Check the address, your network and firewalls.' };
    default:
      if (error.code?.startsWith('HPE_') === true) {
        return { why: 'what answers there does not speak HTTP', hint: tlsHint(error) ?? RUNNING };
      }
      return { why: firstLine(error.message), hint: tlsHint(error) ?? RUNNING };
  }
}

function tlsHint(error: NodeJS.ErrnoException): string | undefined {
  const about = `${error.code ?? ''} ${error.message}`;
  if (/^ssh exited/.test(error.message)) {
    return 'Try `ssh HOST docker version` by hand: it must work without a password.';
  }
  if (/CERT|certificate|SSL|TLS|EPROTO|wrong version number/i.test(about)) {
    return 'Check that --certs or DOCKER_CERT_PATH holds the files of this engine, and whether it speaks TLS on this port.';
  }
  return undefined;
}

function firstLine(text: string): string {
  return printable(text.split('\n', 1)[0] ?? '');
}
