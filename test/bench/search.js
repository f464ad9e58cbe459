/**
 * Measures the search for secrets: five of them, on layers as `docker save` gives them. Each content is searched in a process
 * of its own, several times; the middle round counts. Writes docs/benchmarks/search.md.
 *
 *     npm run bench:search
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { CASES } from './search-cases.js';

const WORKER = fileURLToPath(new URL('search-worker.js', import.meta.url));
const DOCUMENT = fileURLToPath(new URL('../../docs/benchmarks/search.md', import.meta.url));

function measure(name) {
  return JSON.parse(execFileSync(process.execPath, [WORKER, name]).toString());
}

const table = [
  '| Content | Size | Entries | MB per second of work | of the rounds | per second that passed | peak memory |',
  '| --- | --: | --: | --: | --: | --: | --: |',
];
let patterns = 0;
for (const name of Object.keys(CASES)) {
  const result = measure(name);
  patterns = result.patterns;
  const [{ bytes }] = result.rounds;
  const speeds = (time) => result.rounds.map((round) => bytes / 1e6 / round[time]).sort((a, b) => a - b);
  const [worked, passed] = [speeds('worked'), speeds('passed')];
  const middle = Math.floor(worked.length / 2);
  const cells = [
    name,
    `${(bytes / 1e6).toFixed(0)} MB`,
    result.entries.toLocaleString('en'),
    `**${worked[middle].toFixed(0)}**`,
    `${worked[0].toFixed(0)} – ${worked.at(-1).toFixed(0)}`,
    passed[middle].toFixed(0),
    `${result.peakMegabytes.toFixed(0)} MB`,
  ];
  table.push(`| ${cells.join(' | ')} |`);
  console.log(table.at(-1));
}

const machine = `${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
const text = `# What the search for secrets costs

\`npm run bench:search\` measures it and writes this page. A layer is a tar archive in memory: 32 MiB of entries, 32 times. It is searched
as the proof does it, in chunks of 256 KiB: for five secrets (a token of npm, a key of AWS, a JSON web token, a password of 14
characters, and a private key of 28 lines; ${patterns} patterns in all), the entries told apart, each file looked at for archives in it.
What comes before, saving the image and writing it to a temporary file, is what a squash does, too ([squash.md](squash.md)). Each
content has a process of its own; the middle one of its rounds is shown. The peak memory is that of the whole process: Node.js, and
the archive with what it was made of (about 45 + 32 + 32 MB).

${table.join('\n')}

Of what is packed, the size is that of the packed bytes: the search unpacks them, and searches both.

Node.js ${process.version} on ${machine}; ${new Date().toISOString().slice(0, 10)}, system load ${loadavg()[0].toFixed(1)}. The machine
did other work meanwhile: that is why seconds of work, which are those of processors, are told beside those that passed.
`;
mkdirSync(new URL('../../docs/benchmarks/', import.meta.url), { recursive: true });
writeFileSync(DOCUMENT, text);
