/** Commands of the docs that their own test cannot run, and which test does. */

export interface Elsewhere {
  readonly command: RegExp;
  /** The script of package.json that the command runs, if it runs one. */
  readonly script?: string;
  /** The test file that runs it, and a text of that file that shows it. */
  readonly proof: readonly [file: string, text: string];
}

export const ELSEWHERE: readonly Elsewhere[] = [
  {
    command: /^npm start( -- [\w= -]+)?$/,
    script: 'start',
    proof: ['test/cli/start.test.ts', "'npm', ['start'"],
  },
  // It runs itself.
  { command: /^npm test( -- [\w/. -]+)?$/, script: 'test', proof: ['bin/test.js', 'vitest'] },
  {
    command: /^npm run engine -- (up|down|status)$/,
    script: 'engine',
    proof: ['test/engine/lab.test.ts', 'stopEngine'],
  },
  { command: /^npm ci$/, proof: ['test/cli/own-image.test.ts', 'built by the program itself'] },
  {
    command: /^npm run build$/,
    script: 'build',
    proof: ['test/cli/own-image.test.ts', 'built by the program itself'],
  },
  {
    command: /^npm install --global "\$\(npm pack\)"$/,
    proof: ['test/cli/install.test.ts', "'install', '--global'"],
  },
  {
    command: /^docker build -t habitus \.$/,
    proof: ['test/cli/own-image.test.ts', 'built by the program itself'],
  },
  { command: /^docker run .* habitus$/, proof: ['test/cli/own-image.test.ts', 'usageOf'] },
];
