/** Loaded into the program by tests: at its end it writes down the highest resident memory, in kB. */
import { readFileSync, writeFileSync } from 'node:fs';

process.on('exit', () => {
  const [, peak = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  writeFileSync(process.env['HABITUS_TEST_MEMORY'], peak);
});
