/** What is built: the same images for each program, told without any program's words (project.js writes their files). */
import { MARK } from './engine.js';

const FULL = { steps: 20, files: 20_000, megabytes: 256, artifact: 512, tiny: 32, nap: 1 };
const QUICK = { steps: 4, files: 200, megabytes: 8, artifact: 8, tiny: 4, nap: 0.2 };

/** Writes down what the run was told, so that a build that did not happen is seen; another value makes the step new. */
const TOKEN = ['ARG BUST', 'RUN echo $BUST > /token'];

/**
 * A case: `goal` is the ratio of our time to bake's that issue and README promise; `fresh` is what is new in each run:
 *
 * - `nothing`: all was built before
 * - `token`: the build arg BUST, and with it whatever follows `ARG BUST`
 * - `file`: one file of the context, `token`
 * - `folder`: the project itself, a folder that was never seen, with new content in each file; no image has its names
 *
 * `expected` are files that have to be in the images: with `size`, of so many bytes; else with the run's token as text.
 * `rounds`: of a whole run, where the ratio is so close to the goal that five do not tell on which side it is.
 * `bulky`: what a run leaves in BuildKit's cache is removed after it, not after the case.
 */
export function buildCases(quick) {
  const size = quick ? QUICK : FULL;
  const independent = range(size.steps).map((i) => ({
    label: `s${i}`,
    lines: [...TOKEN, `RUN echo ${i} > /number`],
  }));
  const chained = range(size.steps).map((i) =>
    i === 0
      ? { label: 's0', lines: TOKEN }
      : { label: `s${i}`, from: `s${i - 1}`, lines: [`RUN echo ${i} > /number`] },
  );
  const last = `s${size.steps - 1}`;
  const copies = [{ label: 'image', lines: [`COPY context /${MARK}`] }];
  const context = { files: size.files, megabytes: size.megabytes };
  const seen = [
    { label: 'image', path: `/${MARK}/token` },
    { label: 'image', path: `/${MARK}/large-0`, size: largeFile(context) },
  ];
  const told = `${context.megabytes} MB and ${context.files.toLocaleString('en')} files of context`;
  const bytes = size.artifact << 20;
  const noise = `RUN dd if=/dev/urandom of=/${MARK} bs=1M count=${size.artifact}`;
  const handed = { label: 'take', path: `/${MARK}`, size: bytes };
  const long = size.nap * 3;
  return [
    {
      name: 'cached',
      title: `${size.steps} steps, all cached`,
      goal: 0.25,
      rounds: 9,
      fresh: 'nothing',
      steps: independent,
      expected: [{ label: last, path: '/token' }],
    },
    {
      name: 'cached-chain',
      title: `${size.steps} steps, each on the last, all cached`,
      goal: 0.25,
      fresh: 'nothing',
      steps: chained,
      expected: [{ label: last, path: '/token' }],
    },
    // Before others that leave many files: what a case leaves is removed after it, and on ext4 freed inodes cost minutes later.
    {
      name: 'one-file',
      title: `${told}, one file changed`,
      goal: 1,
      rounds: 25,
      fresh: 'file',
      steps: copies,
      context,
      expected: seen,
    },
    {
      name: 'unchanged',
      title: `${told}, unchanged`,
      goal: 0.5,
      fresh: 'nothing',
      steps: copies,
      context,
      expected: seen,
    },
    {
      name: 'cold',
      title: `${told}, cold`,
      goal: 1.1,
      rounds: 9,
      fresh: 'folder',
      bulky: true,
      steps: copies,
      context,
      expected: seen,
    },
    {
      name: 'artifact',
      title: `an artifact of ${size.artifact} MB, made and handed on`,
      goal: 1.3,
      rounds: 9,
      fresh: 'token',
      bulky: true,
      steps: [
        { label: 'make', lines: [...TOKEN, noise] },
        { label: 'take', takes: { from: 'make', path: `/${MARK}` }, lines: ['{take}', ...TOKEN] },
      ],
      expected: [handed, { label: 'take', path: '/token' }],
    },
    {
      name: 'artifact-handed',
      title: `an artifact of ${size.artifact} MB, unchanged, handed to a new step`,
      goal: 1.3,
      fresh: 'token',
      steps: [
        { label: 'make', lines: [noise] },
        { label: 'take', takes: { from: 'make', path: `/${MARK}` }, lines: [...TOKEN, '{take}'] },
      ],
      expected: [handed, { label: 'take', path: '/token' }],
    },
    {
      name: 'chains',
      title: `two chains with a critical path of ${size.nap + long} s`,
      goal: 1,
      rounds: 15,
      fresh: 'token',
      // Whoever builds level by level needs twice the long nap.
      steps: [
        { label: 'a1', lines: [...TOKEN, `RUN sleep ${size.nap}`] },
        { label: 'a2', from: 'a1', lines: [`RUN sleep ${long}`] },
        { label: 'b1', lines: [...TOKEN, `RUN sleep ${long}`] },
        { label: 'b2', from: 'b1', lines: [`RUN sleep ${size.nap}`] },
      ],
      expected: [
        { label: 'a2', path: '/token' },
        { label: 'b2', path: '/token' },
      ],
    },
    {
      name: 'tiny',
      title: `${size.tiny} tiny steps`,
      goal: 1,
      rounds: 15,
      fresh: 'token',
      steps: range(size.tiny).map((i) => ({ label: `t${i}`, lines: [...TOKEN, `RUN echo ${i} > /number`] })),
      expected: [{ label: `t${size.tiny - 1}`, path: '/token' }],
    },
  ];
}

/** The large part of a context is in so many files. */
export const LARGE_FILES = 8;
export const largeFile = ({ megabytes }) => Math.round((megabytes << 20) / LARGE_FILES);

/** Plans that are read and not built: half of the steps are based on another. */
export function planCases(quick) {
  return (quick ? [20, 200] : [1000, 10_000]).map((count) => ({
    name: `plan-${count}`,
    count,
    title: `${count.toLocaleString('en')} steps`,
    steps: range(count).map((i) => ({
      label: `p${i}`,
      ...(i % 2 === 1 && { from: `p${(i - 1) / 2}` }),
      lines: [`RUN echo ${i} > /number`],
    })),
  }));
}

const range = (count) => Array.from({ length: count }, (_, index) => index);

export const CASE_NAMES = [...buildCases(true).map(({ name }) => name), 'plan', 'startup'];
