/** What the proof has found, for people: one line where all is well, else each place and what to do about it. */
import type { ProofFinding, ProofReport } from '../core/secrets.js';
import { formatBytes } from './bytes.js';
import { firstLine, sanitize } from './sanitize.js';
import { MARKS, plural, shortId, type Paint } from './style.js';

/** More of them say nothing new. */
const SHOWN = 20;

/** Lines without line breaks. */
export function proofBlock(report: ProofReport, paint: Paint): readonly string[] {
  const provable = report.secrets.filter((secret) => secret.provable);
  const unproven = report.secrets.filter((secret) => !secret.provable).map(({ name }) => sanitize(name));
  const caveats = [
    ...(unproven.length === 0
      ? []
      : [`not proven (fewer than 8 bytes, which are found by chance): ${unproven.join(', ')}`]),
    ...report.limits.map(firstLine),
  ].map((text) => paint('warning', `  ${text}`));
  if (report.result === 'found') {
    const { findings } = report;
    return [
      paint('bad', `${MARKS.failed.symbol} secrets are in what would leave: no name is given`),
      ...findings.slice(0, SHOWN).flatMap((finding) => findingLines(finding, paint)),
      ...(findings.length > SHOWN ? [`  … and ${findings.length - SHOWN} more`] : []),
      ...caveats,
    ];
  }
  const layers = report.images.reduce((sum, { searched }) => sum + searched.length, 0);
  const what = [
    plural(report.images.length, 'image'),
    ...(report.artifacts.length === 0 ? [] : [plural(report.artifacts.length, 'artifact')]),
  ].join(' and ');
  const searched = paint('quiet', `(${plural(layers, 'layer')}, ${formatBytes(report.bytes)} searched)`);
  return [
    `${paint('good', `${MARKS.succeeded.symbol} proof: none of ${plural(provable.length, 'secret')} in ${what}`)} ${searched}`,
    ...caveats,
  ];
}

function findingLines(finding: ProofFinding, paint: Paint): readonly string[] {
  const { secret, encoding, step, image, layer, instruction, path } = finding;
  const as = encoding === 'plain' ? '' : ` as ${sanitize(encoding)}`;
  const inside = path.map(sanitize).join(' › ');
  return [
    `  ${sanitize(secret)}${as} in step ${sanitize(step)}: ${PLACE[finding.kind]}${inside === '' ? '' : ` ${inside}`}`,
    ...(image === undefined ? [] : [`    image        ${sanitize(image)}`]),
    ...(layer === undefined ? [] : [`    layer        ${shortId(sanitize(layer))}`]),
    ...(instruction === undefined ? [] : [`    instruction  ${firstLine(instruction)}`]),
    `    ${paint('strong', '→')} ${ADVICE[finding.kind]}`,
  ];
}

const PLACE: Readonly<Record<ProofFinding['kind'], string>> = {
  layer: 'file',
  config: 'config of the image',
  history: 'history of the image',
  label: 'label',
  env: 'environment of the image',
  name: 'name of the image',
  artifact: 'artifact',
};

const FETCH = 'Fetch the secret in the RUN that needs it, from the service or with --mount=type=secret.';

const ADVICE: Readonly<Record<ProofFinding['kind'], string>> = {
  layer: `Remove it in the RUN that makes it, or give the step a cleanup: its squash takes it out of every layer. ${FETCH}`,
  config: FETCH,
  history: `What RUN, ARG and ENV say stays in the history. ${FETCH}`,
  label: FETCH,
  env: `ENV stays in the image. ${FETCH}`,
  name: 'Choose another image name.',
  artifact: 'Leave it out of the artifacts, or remove it with cleanup.',
};
