/** Writes a case's project folder: one set of Dockerfiles, and the file that each program reads. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LARGE_FILES, largeFile } from './cases.js';
import { REPOSITORY } from './engine.js';

const FOLDERS = 200;
const SMALL = 1024;

export const imageOf = (tool, label) => `${REPOSITORY}/${tool}:${label}`;
const dockerfileOf = (label) => `Dockerfile.${label}`;
/** Of a step: the labels of those whose images it needs. */
const needsOf = ({ from, takes }) => [from, takes?.from].filter((label) => label !== undefined);
const json = JSON.stringify;

/**
 * @param tool whose images get these names: each has its own, else one would find what another has built
 * @param token the content of the context's file `token`
 */
export function writeProject(folder, tool, { steps, context }, token) {
  mkdirSync(folder, { recursive: true });
  for (const step of steps) writeFileSync(join(folder, dockerfileOf(step.label)), dockerfile(tool, step));
  writeFileSync(join(folder, 'build.yml'), buildYml(steps));
  writeFileSync(join(folder, 'docker-bake.hcl'), bakeFile(steps));
  writeFileSync(join(folder, 'compose.yaml'), composeFile(steps));
  if (context !== undefined) writeContext(join(folder, 'context'), context, token);
}

export function writeToken(folder, token) {
  writeFileSync(join(folder, 'context/token'), `${token}\n`);
}

function writeContext(folder, context, token) {
  mkdirSync(folder);
  for (let i = 0; i < LARGE_FILES; i++)
    writeFileSync(join(folder, `large-${i}`), randomBytes(largeFile(context)));
  for (let i = 0; i < FOLDERS; i++) mkdirSync(join(folder, `d${i}`));
  for (let i = 0; i < context.files; i++) {
    writeFileSync(join(folder, `d${i % FOLDERS}`, `f${i}`), randomBytes(SMALL));
  }
  writeToken(join(folder, '..'), token);
}

/** Habitus knows other steps by the names of their images, and takes artifacts from the context; the peers use named contexts. */
function dockerfile(tool, { from, takes, lines }) {
  const ours = tool === 'habitus';
  const base = from === undefined ? 'busybox:latest' : ours ? imageOf(tool, from) : from;
  const copy =
    takes &&
    (ours ? `COPY .${takes.path} ${takes.path}` : `COPY --from=${takes.from} ${takes.path} ${takes.path}`);
  return [`FROM ${base}`, ...lines.map((line) => line.replace('{take}', copy)), ''].join('\n');
}

const usesToken = ({ lines }) => lines.includes('ARG BUST');

function buildYml(steps) {
  const artifacts = ({ label }) => steps.find(({ takes }) => takes?.from === label)?.takes.path;
  const text = steps.map((step) =>
    [
      `    ${step.label}:`,
      `      name: ${imageOf('habitus', step.label)}`,
      `      dockerfile: ${dockerfileOf(step.label)}`,
      ...(usesToken(step) ? ['      args: { BUST: _env(BUST) }'] : []),
      ...(artifacts(step) === undefined ? [] : [`      artifacts: ['${artifacts(step)}']`]),
      ...(step.takes === undefined ? [] : [`      depends_on: [${step.takes.from}]`]),
    ].join('\n'),
  );
  return `build:\n  version: 2016-03-14\n  steps:\n${text.join('\n')}\n`;
}

function bakeFile(steps) {
  const target = (step) =>
    [
      `target "${step.label}" {`,
      `  dockerfile = "${dockerfileOf(step.label)}"`,
      `  tags = ["${imageOf('bake', step.label)}"]`,
      ...(usesToken(step) ? ['  args = { BUST = BUST }'] : []),
      ...needsOf(step).map((label) => `  contexts = { ${label} = "target:${label}" }`),
      '}',
    ].join('\n');
  const group = `group "default" { targets = ${json(steps.map(({ label }) => label))} }`;
  return ['variable "BUST" { default = "" }', group, ...steps.map(target), ''].join('\n');
}

function composeFile(steps) {
  const service = (step) =>
    [
      `  ${step.label}:`,
      `    image: ${imageOf('compose', step.label)}`,
      '    build:',
      '      context: .',
      `      dockerfile: ${dockerfileOf(step.label)}`,
      ...(usesToken(step) ? ['      args: { BUST: "${BUST}" }'] : []),
      ...needsOf(step).map((label) => `      additional_contexts: { ${label}: "service:${label}" }`),
    ].join('\n');
  return `services:\n${steps.map(service).join('\n')}\n`;
}

/** buildah knows one image: its peer is a script that builds one after the other. `folder` is where it sees the project. */
export function buildahScript(steps, folder) {
  const build = (step) =>
    [
      'buildah build --layers --pull=never --isolation=chroot --ulimit=nofile=1024:1024 --ulimit=nproc=4096:4096',
      ...(usesToken(step) ? ['--build-arg BUST'] : []),
      ...needsOf(step).map(
        (label) => `--build-context ${label}=container-image://${imageOf('buildah', label)}`,
      ),
      `-t ${imageOf('buildah', step.label)} -f ${folder}/${dockerfileOf(step.label)} ${folder}`,
    ].join(' ');
  return ['set -e', ...steps.map(build), ''].join('\n');
}
