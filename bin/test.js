/** `npm test`: lint, types, and all tests on all engines; a fresh clone needs nothing before it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare, run } from './prepare.js';

const CHECKS = [
  ['lint', ['node_modules/eslint/bin/eslint.js', '.']],
  ['format', ['node_modules/prettier/bin/prettier.cjs', '--check', '.']],
  ['types', ['node_modules/typescript/bin/tsc', '--noEmit']],
];

/** What Vitest's JSON report says, strictly: a skipped test is a failed one, and so is a file that cannot be loaded. */
function count(report) {
  const files = report.testResults ?? [];
  const broken = files.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const passed = report.numPassedTests ?? 0;
  const failed = (report.numTotalTests ?? 0) - passed + broken;
  return { passed, failed: failed === 0 && report.success !== true ? 1 : failed };
}

function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'habitus-test-'));
  const file = join(folder, 'report.json');
  try {
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'];
    const code = run([process.execPath, ...vitest, `--outputFile.json=${file}`, ...args]);
    const { passed, failed } = count(JSON.parse(readFileSync(file, 'utf8')));
    return { passed, failed: failed === 0 && code !== 0 ? 1 : failed };
  } catch (error) {
    console.error(`error: Vitest left no report: ${error.message}`);
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

prepare();
const args = process.argv.slice(2);
// Who names files or projects wants an answer about these.
const unsound =
  args.length > 0
    ? []
    : CHECKS.filter(([name, argv]) => {
        console.error(`test: ${name}`);
        return run([process.execPath, ...argv]) !== 0;
      });
const { passed, failed } = runTests(args);
for (const [name] of unsound) console.error(`test: ${name} failed, see above`);
if (passed === 0) console.error('test: no test passed');
console.log(`${passed} passed, ${failed + unsound.length} failed`);
process.exitCode = passed > 0 && failed + unsound.length === 0 ? 0 : 1;
