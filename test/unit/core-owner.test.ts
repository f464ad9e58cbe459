/** Who owns a session, written and read, and whether that process still lives. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatOwner, lifeOf, parseOwner, thisProcess, type Owner } from '../../src/core/owner.js';

const DAY = 86_400_000;
const hash = fc.stringMatching(/^[0-9a-f]{12}$/);
const anyOwner: fc.Arbitrary<Owner> = fc.record({
  host: hash,
  boot: fc.oneof(hash, fc.constant('0')),
  pidNamespace: fc.nat().map(String),
  pid: fc.integer({ min: 1, max: 4_194_304 }),
  started: fc.nat().map(String),
});

describe('an owner as text', () => {
  it('is read back as it was written, and fits into the tag of an image', () => {
    fc.assert(
      fc.property(anyOwner, (owner) => {
        const text = formatOwner(owner);
        expect(parseOwner(text)).toEqual(owner);
        expect(`${text}-cleaned-99`).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/);
      }),
    );
  });

  it('is nobody where anything else was written', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseOwner(text)).toBeUndefined();
      }),
    );
    const { pid } = thisProcess();
    expect(parseOwner(formatOwner(thisProcess()).replace(`.${pid}.`, '.0.'))).toBeUndefined();
  });
});

describe('the life of an owner', () => {
  const here = thisProcess();
  const now = Date.now();

  it('goes on while its process does', async () => {
    expect(lifeOf(here, now)).toBe('running');
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    const owner = { ...here, pid, started };
    expect(lifeOf(owner, now)).toBe('running');
    // Another process has this number by now.
    expect(lifeOf({ ...owner, started: '1' }, now)).toBe('dead');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(lifeOf(owner, now)).toBe('dead');
  });

  it('has ended also where nobody has asked how its process ended', async () => {
    // The shell turns into a program that asks for nothing.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const owner = { ...here, pid: Number(line), started: '0' };
    const state = (): string | undefined =>
      /\) (.)/.exec(readFileSync(`/proc/${owner.pid}/stat`, 'utf8'))?.[1];
    await expect.poll(state, { interval: 5 }).toBe('Z');
    expect(lifeOf(owner, now)).toBe('dead');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  });

  it('goes on where the process is of another user', () => {
    // The first process of all; signals to it are refused to most, and its number is in use.
    expect(lifeOf({ ...here, pid: 1, started: '0' }, now)).toBe('running');
  });

  it('has ended with an earlier boot of this host', () => {
    const booted = now - Number(execFileSync('cut', ['-d', ' ', '-f', '1', '/proc/uptime'])) * 1000;
    const owner = { ...here, boot: '000000000000' };
    expect(lifeOf(owner, booted - DAY)).toBe('dead');
    // A machine of the same name and ID that runs now.
    expect(lifeOf(owner, now)).toBe('unknown');
    expect(lifeOf({ ...owner, boot: '0' }, booted - DAY)).toBe('unknown');
  });

  it('cannot be known of another host, nor of another container', () => {
    const owner = { ...here, pid: 4_194_304 };
    expect(lifeOf(owner, now)).toBe('dead');
    expect(lifeOf({ ...owner, host: 'a'.repeat(12), boot: 'b'.repeat(12) }, now - DAY)).toBe('unknown');
    expect(lifeOf({ ...owner, pidNamespace: '1' }, now - DAY)).toBe('unknown');
  });

  it('is a matter of the process number where a system tells nothing else', () => {
    const poor = { ...here, boot: '0', pidNamespace: '0', started: '0' };
    expect(lifeOf(poor, now, poor)).toBe('running');
    expect(lifeOf({ ...poor, pid: 4_194_304 }, now, poor)).toBe('dead');
    expect(lifeOf({ ...poor, host: 'a'.repeat(12), pid: 4_194_304 }, now, poor)).toBe('unknown');
  });
});
