/** Engines behind ssh, with a program of the test in the place of ssh. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SshAgent } from '../../src/engine/ssh.js';
import { readAll } from '../support/tar.js';

describe('an ssh connection', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'habitus-ssh-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function get(script: string): Promise<string> {
    const program = join(folder, 'ssh');
    writeFileSync(program, `#!/bin/sh\n${script}\n`);
    chmodSync(program, 0o755);
    const agent = new SshAgent({ hostname: 'h' }, program);
    try {
      return await new Promise<string>((resolve, reject) => {
        request({ host: 'docker', path: '/', agent }, (answer) => {
          readAll(answer).then((body) => {
            resolve(body.toString());
          }, reject);
        })
          .on('error', reject)
          .end();
      });
    } finally {
      agent.destroy();
    }
  }

  it('is the standard streams of the program', async () => {
    expect(
      await get("read line; printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello'; sleep 60"),
    ).toBe('hello');
  });

  it("fails with ssh's own words", async () => {
    await expect(get('echo "Permission denied (publickey)." >&2; exit 255')).rejects.toThrow(
      'ssh exited with 255: Permission denied (publickey).',
    );
  });

  it('says what has ended it', async () => {
    await expect(get('kill -INT $$')).rejects.toThrow('ssh was ended by SIGINT: no output');
  });

  it('fails where the program has ended before all was sent', async () => {
    await expect(get('exit 0')).rejects.toThrow(/socket hang up|EPIPE|ended/);
  });

  it('is not reached by a Ctrl-C, which goes to the process group of this program', async () => {
    const answer = "printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'; ps -o pgid= -p $$";
    const group = await get(`read line; ${answer}`);
    const own = execFileSync('ps', ['-o', 'pgid=', '-p', String(process.pid)], { encoding: 'utf8' });
    expect(Number(group)).toBeGreaterThan(0);
    expect(Number(group)).not.toBe(Number(own));
  });
});
