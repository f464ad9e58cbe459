/** What the benchmark ran on. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

export function describeMachine() {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return {
    processors: `${cpus().length} × ${cpus()[0].model}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${distribution()}, Linux ${release()}`,
    node: process.version,
    habitus: version,
    date: new Date().toISOString().slice(0, 10),
    load: loadavg()[1].toFixed(1),
  };
}

/** os-release(5) */
function distribution() {
  const [, name] = /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  return name ?? 'an unknown system';
}
