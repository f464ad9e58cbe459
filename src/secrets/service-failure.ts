/** What a user reads where the secrets service cannot listen. */
import { StepError } from '../core/errors.js';

/** @param port as it was wanted; @returns a StepError for what the system refused */
export function explainListen(error: unknown, address: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  const failure = (message: string, hint: string): StepError =>
    new StepError({ message, output: [], hint }, error);
  switch (code) {
    case 'EADDRINUSE':
      return failure(
        `port ${port} of ${address}, where the secrets service is to listen, is taken`,
        'Declare "ARG habitus_port" in the Dockerfile and use it, so that any free port will do; or give another one with --port.',
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return failure(
        `the secrets service cannot listen on ${address}: it is no address of this machine`,
        'Give --binding an address of this machine that build containers can reach.',
      );
    case 'EACCES':
      return failure(
        `the secrets service may not listen on port ${port} of ${address}`,
        'Give --port a number above 1023.',
      );
    default:
      return failure(
        `the secrets service cannot listen on ${address}, port ${port}: ${code}`,
        'Give --binding an address of this machine that build containers can reach.',
      );
  }
}
