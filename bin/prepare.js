/** Makes a fresh clone ready to run: installs what the lock file names, and compiles what has changed. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const STAMP = join(ROOT, 'dist/.compiled');
const SOURCES = ['src', 'tsconfig.json', 'tsconfig.build.json', 'bin/bundle.js', 'package-lock.json'];

/** Installs and compiles where needed; ends the process where it cannot. */
export function prepare() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    stop(`Node ${process.versions.node} is too old`, 'install Node 20.19 or newer: https://nodejs.org');
  }
  if (!isInstalled()) step('installing packages (npm ci)', npm('ci', '--no-audit', '--no-fund'));
  if (!isCompiled()) {
    const begun = new Date();
    step('compiling (tsc, rolldown)', npm('run', '--silent', 'build'));
    // The time at which compiling began: a source that was saved meanwhile counts as newer.
    writeFileSync(STAMP, begun.toISOString());
  }
}

/** Runs a command in the project's folder with the caller's terminal; gives its exit code. */
export function run([file, ...args], env = {}) {
  const done = spawnSync(file, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } });
  return done.status ?? 1;
}

function step(what, argv) {
  console.error(`setup: ${what}`);
  const begun = performance.now();
  const code = run(argv);
  if (code !== 0) stop(`${argv.join(' ')} ended with ${code}`, 'its messages are above');
  console.error(`setup:   done in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

function stop(message, hint) {
  console.error(`error: ${message}\n  ${hint}`);
  process.exit(1);
}

/** The npm that started this script, or the one on PATH. */
function npm(...args) {
  const script = process.env.npm_execpath;
  return script === undefined ? ['npm', ...args] : [process.execPath, script, ...args];
}

/** Does node_modules hold the versions that the lock file names? npm writes down what it has installed. */
function isInstalled() {
  const installed = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(installed)) return false;
  const wanted = packagesOf(join(ROOT, 'package-lock.json'));
  const there = packagesOf(installed);
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    const found = there[path];
    // Optional packages of other platforms are in the lock file only.
    return path === '' || (found === undefined ? optional || devOptional : found.version === version);
  });
}

const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

function isCompiled() {
  if (!existsSync(STAMP)) return false;
  const compiled = Date.parse(readFileSync(STAMP, 'utf8'));
  return SOURCES.every((source) => newest(join(ROOT, source)) <= compiled);
}

/** The latest modification in milliseconds; a folder counts, as its time tells of deleted files. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
