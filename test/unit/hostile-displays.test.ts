/** Text that wants to steer the user's terminal, in every event and every display. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BuildResult } from '../../src/core/api.js';
import type { BuildEvent } from '../../src/core/events.js';
import { LONGEST_LINE, LineSplitter } from '../../src/core/lines.js';
import type { ProofReport } from '../../src/core/secrets.js';
import { escapeControls } from '../../src/report/json.js';
import { createReporter, type ReporterKind } from '../../src/report/reporter.js';
import { firstLine, sanitize } from '../../src/report/sanitize.js';
import { toLatin1, shown } from '../../src/tar/paths.js';

/** What displays write themselves: colours, cursor, line breaks. */
const OWN = new RegExp(String.raw`\u001b\[(?:\d+m|\?25[lh]|2K|J|\d+A)|\r(?=\u001b\[|$)|\n`, 'g');
const CONTROL = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

const ATTACKS = [
  '\u001b]0;title\u0007',
  '\u001b]52;c;ZXZpbA==\u001b\\',
  '\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\',
  '\u001bP$q"p\u001b\\',
  '\u009b2J',
  '\u009d0;title\u009c',
  '\u001b[2J\u001b[H',
  '\u001bc',
  '10%\r20%\r',
  'a\u0000b\u0008c\u007f',
  '\u202egnp.exe',
  '\u001b',
  '\u001b[',
  'line\nbreak',
];

const attack = fc.oneof(
  fc.constantFrom(...ATTACKS),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString('utf8')),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);

function proof(text: string): ProofReport {
  return {
    result: 'found',
    secrets: [{ name: text, digest: text, provable: false }],
    images: [],
    artifacts: [],
    bytes: 1,
    findings: [
      {
        secret: text,
        encoding: text,
        step: text,
        kind: 'layer',
        image: text,
        layer: text,
        instruction: text,
        path: [text],
      },
    ],
    limits: [text],
  };
}

function eventsOf(text: string): readonly BuildEvent[] {
  const at = 1;
  const failure = { message: text, instruction: text, output: [text], hint: text };
  const step = text;
  return [
    {
      at,
      type: 'build-started',
      session: text,
      engine: text,
      builder: 'classic',
      jobs: 1,
      steps: [{ label: step, dependsOn: [text] }],
    },
    { at, type: 'step-started', step },
    { at, type: 'phase-started', step, phase: 'build', detail: text },
    { at, type: 'instruction', step, instruction: { state: 'started', id: text, text } },
    { at, type: 'output', step, phase: 'build', stream: 'stdout', line: text },
    {
      at,
      type: 'instruction',
      step,
      instruction: { state: 'finished', id: text, text, cached: false, durationMs: 5000 },
    },
    { at, type: 'notice', level: 'warning', step, message: text },
    { at, type: 'notice', level: 'info', message: text },
    { at, type: 'instruction', step, instruction: { state: 'failed', id: text, text, durationMs: 1 } },
    { at, type: 'proof-finished', report: proof(text) },
    { at, type: 'promoted', names: [{ step, name: text, imageId: text }] },
    {
      at,
      type: 'step-finished',
      step,
      status: 'failed',
      durationMs: 1,
      imageId: text,
      failure,
      reason: text,
    },
    { at, type: 'build-finished', status: 'failed', durationMs: 1 },
  ];
}

function resultOf(text: string): BuildResult {
  const failure = { message: text, instruction: text, output: [text], hint: text };
  const step = { label: text, imageName: text, durationMs: 1, names: [text], imageId: text, reason: text };
  return {
    status: 'failed',
    session: text,
    durationMs: 1,
    steps: [
      { ...step, status: 'failed', failure },
      { ...step, status: 'succeeded' },
      { ...step, status: 'cancelled' },
    ],
    proof: proof(text),
  };
}

function displayed(kind: ReporterKind, color: boolean, text: string): string {
  let written = '';
  const stream = { columns: 60, rows: 20, write: (piece: string) => (written += piece) !== '' };
  const reporter = createReporter({ kind, stream, color, suppress: false });
  for (const event of eventsOf(text)) reporter.emit(event);
  reporter.finish(resultOf(text));
  reporter.close();
  return written;
}

describe('hostile text', () => {
  it.each(['tty', 'plain', 'json', 'quiet'] as const)(
    'leaves nothing but its own controls in the %s display',
    (kind) => {
      fc.assert(
        fc.property(attack, fc.boolean(), (text, color) => {
          const controls = kind === 'tty' || color ? OWN : /\n/g;
          expect(displayed(kind, color, text).replace(controls, '')).not.toMatch(CONTROL);
        }),
        { numRuns: 400, examples: ATTACKS.map((text) => [text, true]) },
      );
    },
  );

  it('is harmless in names of files and in lines of the log', () => {
    fc.assert(
      fc.property(attack, (text) => {
        expect(sanitize(shown(toLatin1(text)))).not.toMatch(CONTROL);
        expect(shown(toLatin1(text))).not.toMatch(/\p{Cc}/u);
        const line = escapeControls(JSON.stringify({ text }));
        expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify({ text })));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('much text', () => {
  it('of 100 MB on one line passes in bounded pieces', { timeout: 20_000 }, () => {
    let longest = 0;
    let total = 0;
    const splitter = new LineSplitter((line) => {
      longest = Math.max(longest, line.length);
      total += line.length;
    });
    const chunk = Buffer.alloc(1 << 20, 'x');
    for (let i = 0; i < 100; i++) splitter.write(chunk);
    splitter.end();
    expect([longest, total]).toEqual([LONGEST_LINE, 100 << 20]);
  });

  it('in a label or an instruction is cut, and does not push the rest out of sight', () => {
    const long = 'L'.repeat(1 << 20);
    expect(firstLine(long)).toHaveLength(4002);
    for (const line of displayed('plain', false, long)
      .split('\n')
      .filter((one) => one.includes(' | started')))
      expect(line).toBe(`${'L'.repeat(39)}… | started`);
  });
});
