/** Engines behind ssh: every connection is one `ssh HOST docker system dial-stdio`, with the user's own ssh set-up. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { Agent } from 'node:http';
import { Duplex, type Readable, type Writable } from 'node:stream';
import type { SshTarget } from './address.js';

/** Arguments of `ssh`; nothing of the target can be taken for an option. */
export function sshArguments(target: SshTarget): readonly string[] {
  const remote = target.remotePath === undefined ? [] : ['--host', quote(`unix://${target.remotePath}`)];
  return [
    '-o',
    'ConnectTimeout=10',
    ...(target.user === undefined ? [] : ['-l', target.user]),
    ...(target.port === undefined ? [] : ['-p', target.port]),
    '--',
    target.hostname,
    ['docker', ...remote, 'system', 'dial-stdio'].join(' '),
  ];
}

/** ssh hands the command line to the shell of the other side. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** An agent whose sockets are the standard streams of ssh processes. */
export class SshAgent extends Agent {
  readonly #target: SshTarget;
  readonly #program: string;

  constructor(target: SshTarget, program = 'ssh') {
    super({ keepAlive: true });
    this.#target = target;
    this.#program = program;
  }

  override createConnection(): Duplex {
    return new SshSocket(
      spawn(this.#program, sshArguments(this.#target), {
        stdio: ['pipe', 'pipe', 'pipe'],
        windowsHide: true,
        // In a session of its own: a Ctrl-C is for this program, which still needs its connections to clean up.
        detached: true,
      }),
    );
  }
}

/** The few methods of a net.Socket that Node's HTTP client calls, over the streams of one child process. */
class SshSocket extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #complaint = '';
  #closed = false;

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    super({ allowHalfOpen: false });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-2000);
    });
    child.on('error', (error) => this.destroy(error));
    child.on('close', (code, signal) => {
      this.#closed = true;
      if (code === 0) this.push(null);
      else {
        const how = signal === null ? `exited with ${code}` : `was ended by ${signal}`;
        this.destroy(new Error(`ssh ${how}: ${this.#complaint.trim() || 'no output'}`));
      }
    });
    // A broken pipe: the process has ended, and its own words are the better reason.
    child.stdin.on('error', () => undefined);
    child.stdout.on('error', (error) => this.destroy(error));
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, (error) => {
      // Where the process has just ended, its own words come first.
      if (!error || this.#closed) done(error);
      else
        this.#child.once('close', () => {
          done(error);
        });
    });
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    this.#child.kill();
    done(error);
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    this.#child.ref();
    return this;
  }

  unref(): this {
    this.#child.unref();
    return this;
  }
}
