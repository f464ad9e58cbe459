/** How commands run on the host: output, exit codes, environment, cancel. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runHostCommand } from '../../src/core/host-command.js';

/** A process that has ended may stay as a zombie until its parent asks for its status. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => 'gone');
  return stat !== 'gone' && !/^.*\) [ZX]/s.test(stat);
}

describe('a command on the host', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'habitus-test-'));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(directory, { recursive: true });
  });

  const run = async (
    command: string,
    signal = new AbortController().signal,
    onLine?: (line: string) => void,
  ): Promise<{ code: number; lines: string[] }> => {
    const lines: string[] = [];
    const code = await runHostCommand(
      command,
      directory,
      { HABITUS_STEP: 'app' },
      (stream, line) => {
        lines.push(`${stream}: ${line}`);
        onLine?.(line);
      },
      signal,
    );
    return { code, lines };
  };

  it('runs in the work directory through a shell, with what it is told in its environment', async () => {
    const { code, lines } = await run('pwd; echo "$HABITUS_STEP" >&2; printf unfinished');
    expect(code).toBe(0);
    expect(lines.toSorted()).toEqual(['stderr: app', `stdout: ${directory}`, 'stdout: unfinished']);
  });

  it('gives its exit code, and 128 plus the number of a signal that ended it', async () => {
    expect((await run('exit 7')).code).toBe(7);
    expect((await run('kill -9 $$')).code).toBe(137);
  });

  it('has no standard input to wait for', async () => {
    expect((await run('cat')).code).toBe(0);
  });

  it('is not waited for by way of what it leaves in the background', async () => {
    const { code, lines } = await run('setsid sleep 1000 & echo $!; printf unfinished >&2; exit 3');
    expect(code).toBe(3);
    const [pid] = lines.flatMap((line) => /^stdout: (\d+)$/.exec(line)?.[1] ?? []);
    expect(await isRunning(Number(pid))).toBe(true);
    process.kill(Number(pid), 'SIGKILL');
    expect(lines).toContain('stderr: unfinished');
  });

  it('is over when it was cancelled, even where something has left its process group', async () => {
    const cancel = new AbortController();
    const reason = new Error('interrupted');
    let escaped = 0;
    const running = run(`setsid sh -c 'echo $$; exec sleep 1000' & wait`, cancel.signal, (line) => {
      escaped = Number(line);
      cancel.abort(reason);
    });
    await expect(running).rejects.toBe(reason);
    process.kill(escaped, 'SIGKILL');
  });

  it.each([
    ['even where it ignores SIGTERM', 'trap "" TERM; sleep 1000 & echo $!; wait; wait'],
    ['though only its shell heeds SIGTERM', `sh -c 'trap "" TERM; echo $$; exec sleep 1000' & wait`],
  ])('is stopped with all it started when the build is cancelled, %s', async (_, command) => {
    const cancel = new AbortController();
    const reason = new Error('interrupted');
    let child = 0;
    const kill = vi.spyOn(process, 'kill');
    const running = run(command, cancel.signal, (line) => {
      child = Number(line);
      cancel.abort(reason);
    });
    await expect(running).rejects.toBe(reason);
    expect(kill.mock.lastCall).toEqual([expect.any(Number), 'SIGKILL']);
    expect(child).toBeGreaterThan(0);
    // The kernel may have the end of a process still before it.
    await vi.waitFor(async () => {
      expect(await isRunning(child)).toBe(false);
    });
  });
});
