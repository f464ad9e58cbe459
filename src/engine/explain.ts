/** Every text of this room that users read when an engine cannot be reached or refuses a call. */
import { EngineError } from '../core/errors.js';
import type { EngineAddress } from './address.js';

/** Why no answer came. */
export function unreachable(address: EngineAddress, cause: unknown, purpose?: string): EngineError {
  const { why, hint } = diagnose(address, cause);
  const what =
    purpose === undefined ? `No Docker Engine answers` : `The engine could not ${purpose}: no answer`;
  return new EngineError(`${what} at ${address.url} (${address.from}): ${why}`, { cause, hint });
}

/** The engine did not answer in time. */
export function silent(address: EngineAddress, seconds: number): EngineError {
  return new EngineError(
    `The Docker Engine at ${address.url} (${address.from}) did not answer within ${seconds} s`,
    {
      hint: 'Is it overloaded or behind a firewall? Try `docker version` with the same address.',
    },
  );
}

/** The engine answered with an error status. */
export function refusal(purpose: string, status: number, message: string, cause: unknown): EngineError {
  const said = engineWords(message);
  return new EngineError(`The engine could not ${purpose}: ${said || `HTTP status ${status}`}`, {
    status,
    cause,
  });
}

/** docker-modem wraps the engine's own sentence: `(HTTP code 404) no such image - No such image: x `. */
export function engineWords(message: string): string {
  const wrapped = /^\(HTTP code \d+\) .*? - ([\s\S]*)$/.exec(message);
  return (wrapped?.[1] ?? message).trim().replace(/\.$/, '');
}

function diagnose(address: EngineAddress, cause: unknown): { why: string; hint: string } {
  const error = cause as NodeJS.ErrnoException;
  const running = 'Is the engine running? Start it, or name another with --host or DOCKER_HOST.';
  switch (error.code ?? '') {
    case 'ENOENT':
      return address.kind === 'ssh'
        ? { why: 'the program ssh is not installed', hint: 'Install an OpenSSH client.' }
        : { why: 'there is no such socket', hint: running };
    case 'ECONNREFUSED':
      return { why: 'connection refused', hint: running };
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
      return { why: firstLine(error.message), hint: tlsHint(error) ?? running };
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
  return text.split('\n', 1)[0]?.trim() ?? '';
}
