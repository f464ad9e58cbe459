/** Keys and agents for tests: made by the real OpenSSH, which is installed where it is missing. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasProgram } from '../../src/lab/exec.js';
import { withLock } from '../../src/lab/lock.js';
import { ensureTools } from '../../src/lab/packages.js';
import { aloud } from '../../src/lab/say.js';

const execute = promisify(execFile);

/** A folder for keys, their public halves behind `.pub`, and sockets; whoever makes it removes it. */
export class SshFolder {
  private constructor(readonly path: string) {}

  static async make(): Promise<SshFolder> {
    await ensureOpenSsh();
    // Short: the path of a socket may have 107 bytes.
    return new SshFolder(await mkdtemp(join(tmpdir(), 'hab-ssh-')));
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** @param options of `ssh-keygen`, e.g. `-t rsa` @returns the private key's path */
  async key(name: string, options: readonly string[], passphrase = ''): Promise<string> {
    const path = this.at(name);
    await this.run('ssh-keygen', ['-q', ...options, '-N', passphrase, '-C', `${name}@test`, '-f', path]);
    return path;
  }

  /** What it prints; it fails as the program does. */
  async run(program: string, options: readonly string[], agent?: string): Promise<string> {
    // Without an agent given, not with the developer's own either.
    const env = { ...process.env, SSH_AUTH_SOCK: agent };
    const { stdout } = await execute(program, [...options], { env, cwd: this.path });
    return stdout;
  }

  /** A real agent with these keys, and the path of its socket. */
  async agent(name: string, keys: readonly string[]): Promise<AsyncDisposable & { readonly socket: string }> {
    const socket = this.at(name);
    // Not as a daemon: it ends with whoever started it.
    const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    await new Promise((resolve, reject) => {
      // It tells the socket's path once it listens.
      child.stdout.once('data', resolve);
      child.once('error', reject);
      child.once('close', () => {
        reject(new Error('ssh-agent ended'));
      });
    });
    await this.run('ssh-add', ['-q', ...keys], socket);
    return {
      socket,
      async [Symbol.asyncDispose]() {
        child.kill();
        await ended;
      },
    };
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

async function ensureOpenSsh(): Promise<void> {
  const tools = [{ program: 'ssh-keygen', package: 'openssh-client' }];
  if (await hasProgram('ssh-keygen')) return;
  const purpose = 'installing openssh-client';
  const onWait = (holder: string): void => {
    aloud.line(`waiting for ${holder}`);
  };
  // Test files run at the same time; apt-get does not wait for another.
  await withLock({ purpose, onWait }, () =>
    ensureTools(tools, 'the tests of ssh mounts make keys with it', aloud),
  );
}
