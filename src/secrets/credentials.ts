/** Who may have what from the secrets service: credentials of steps, compared in constant time, with limited attempts. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** For HTTP's Basic authentication: https://www.rfc-editor.org/rfc/rfc7617 */
export interface Credentials {
  /** Without `:`, which Basic authentication cannot carry. */
  readonly user: string;
  readonly password: string;
}

/** Attempts with wrong credentials that a session bears. */
export const MOST_ATTEMPTS = 20;

/** Bytes of a throw-away password: 128 bits. */
const PASSWORD_BYTES = 16;

/**
 * Credentials for one step of one session. Of hexadecimal digits throughout: they mean the same in a URL, in a shell, and
 * as the word after an option.
 */
export function throwAwayCredentials(user = randomBytes(4).toString('hex')): Credentials {
  return { user, password: randomBytes(PASSWORD_BYTES).toString('hex') };
}

/** What RUN sends for credentials. */
export function basicToken(credentials: Credentials): string {
  return plain(credentials).toString('base64');
}

function plain({ user, password }: Credentials): Buffer {
  return Buffer.from(`${user}:${password}`);
}

/** What credentials are good for. */
export type Grant =
  | {
      readonly kind: 'live';
      /** The step's label. */
      readonly step: string;
      /** By `TYPE/NAME`. */
      readonly secrets: ReadonlyMap<string, Buffer>;
    }
  /** Of an earlier session: they open nothing, and that they are used tells that the step is not cached. */
  | { readonly kind: 'spent'; readonly step: string; readonly presented: () => void };

export type Verdict =
  | Grant
  /** None were sent, which is how some clients (GNU wget) begin; not an attempt. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'wrong' }
  /** Too many were wrong: nobody is served any more. */
  | { readonly kind: 'locked' };

export class Doorkeeper {
  readonly #grants = new Map<Buffer, Grant>();
  readonly #onRefused: (message: string) => void;
  #attempts = 0;
  #complaints = 0;

  /** @param onRefused told of each wrong attempt; never credentials or values */
  constructor(onRefused: (message: string) => void) {
    this.#onRefused = onRefused;
  }

  /** Credentials open what `grant` says until the returned function is called. */
  admit(credentials: Credentials, grant: Grant): () => void {
    const digest = digestOf(plain(credentials));
    this.#grants.set(digest, grant);
    return () => {
      this.#grants.delete(digest);
    };
  }

  /**
   * @param authorization the header's value
   * @param peer the address it came from, for people
   */
  ask(authorization: string | undefined, peer: string): Verdict {
    if (this.#attempts >= MOST_ATTEMPTS) return { kind: 'locked' };
    if (authorization === undefined) return { kind: 'absent' };
    const token = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1];
    const presented = digestOf(Buffer.from(token ?? '', 'base64'));
    let found: Grant | undefined;
    // To the end in any case: how long it takes tells nothing.
    for (const [digest, grant] of this.#grants) if (timingSafeEqual(digest, presented)) found = grant;
    if (found !== undefined && token !== undefined) return found;
    this.#attempts++;
    this.#onRefused(
      `the secrets service refused wrong credentials from ${peer} (${this.#attempts} of ${MOST_ATTEMPTS} attempts)`,
    );
    if (this.#attempts === MOST_ATTEMPTS) {
      this.#onRefused(
        `the secrets service answers nobody any more: ${MOST_ATTEMPTS} attempts with wrong credentials`,
      );
    }
    return { kind: 'wrong' };
  }

  /** A step asked for what it does not declare, or nobody has: said a few times, for a loop must not fill the log. */
  missing(step: string, secret: string): void {
    if (++this.#complaints > MOST_ATTEMPTS) return;
    this.#onRefused(`step ${step} asked for the secret ${JSON.stringify(secret)}, which it does not declare`);
  }
}

/** Of equal length for all, as the comparison wants it. */
function digestOf(credentials: Buffer): Buffer {
  return createHash('sha256').update(credentials).digest();
}
