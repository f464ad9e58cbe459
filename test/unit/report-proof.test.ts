/** What people read of a proof. */
import { expect, test } from 'vitest';
import type { ProofReport } from '../../src/core/secrets.js';
import { proofBlock } from '../../src/report/proof.js';
import { createPaint } from '../../src/report/style.js';

const paint = createPaint(false);
const CLEAN: ProofReport = {
  result: 'clean',
  secrets: [
    { name: 'token', digest: '00', provable: true },
    { name: 'pin', digest: '01', provable: false },
  ],
  images: [
    { step: 'app', imageId: 'sha256:1', names: ['app:latest'], searched: ['sha256:a'], notSearched: [] },
  ],
  artifacts: [{ step: 'app', path: '/out' }],
  bytes: 4200,
  findings: [],
  limits: ['app: srv/x.xz not searched: it is compressed with xz'],
};

test('a clean proof is one line, and what was not proven', () => {
  expect(proofBlock(CLEAN, paint)).toEqual([
    '✓ proof: none of 1 secret in 1 image and 1 artifact (1 layer, 4.2 kB searched)',
    '  not proven (fewer than 8 bytes, which are found by chance): pin',
    '  app: srv/x.xz not searched: it is compressed with xz',
  ]);
});

test('each place of a secret is told with what to do about it', () => {
  const findings: ProofReport['findings'] = [
    {
      secret: 'token',
      encoding: 'base64',
      step: 'app',
      kind: 'layer',
      image: 'app:latest',
      layer: 'sha256:0123456789abcdef',
      instruction: 'RUN base64 /key > /srv',
      path: ['srv/a.tar', 'b'],
    },
    { secret: 'token', encoding: 'plain', step: 'app', kind: 'env', image: 'app:latest', path: ['TOKEN'] },
  ];
  expect(proofBlock({ ...CLEAN, result: 'found', findings, limits: [] }, paint)).toEqual([
    '✗ secrets are in what would leave: no name is given',
    '  token as base64 in step app: file srv/a.tar › b',
    '    image        app:latest',
    '    layer        0123456789ab',
    '    instruction  RUN base64 /key > /srv',
    '    → Remove it in the RUN that makes it, or give the step a cleanup: its squash takes it out of every layer. Fetch the secret in the RUN that needs it, from the service or with --mount=type=secret.',
    '  token in step app: environment of the image TOKEN',
    '    image        app:latest',
    '    → ENV stays in the image. Fetch the secret in the RUN that needs it, from the service or with --mount=type=secret.',
    '  not proven (fewer than 8 bytes, which are found by chance): pin',
  ]);
});

test('names and paths cannot move the cursor', () => {
  const [line] = proofBlock(
    {
      ...CLEAN,
      result: 'found',
      limits: [],
      findings: [{ secret: 'token', encoding: 'plain', step: 'app', kind: 'artifact', path: ['\u001b[2Jx'] }],
    },
    paint,
  ).slice(1);
  expect(line).not.toContain('\u001b');
});
