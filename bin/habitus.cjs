#!/usr/bin/env node
/** The executable: hands over to the compiled program. CommonJS, as the program is: Node loads that in less time. */
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');

/** Modules of Node that each build needs. */
const BUILTINS = [
  'child_process',
  'crypto',
  'fs/promises',
  'http',
  'https',
  'module',
  'os',
  'timers/promises',
  'tty',
  'vm',
];

if (!/^--?(?:version|help)$/.test(process.argv.slice(2).join(' '))) {
  // Node brings these compiled for V8 as it is by itself: after a change of flags each would be compiled anew.
  for (const name of BUILTINS) {
    require(`node:${name}`);
  }
  const { setFlagsFromString } = require('node:v8');
  // Most of what is made here is garbage at once: V8 would begin with 1 MB of it, and in the end keep 16 before it looks.
  setFlagsFromString('--min-semi-space-size=8');
  setFlagsFromString('--max-semi-space-size=8');
  // To share the collection of so little takes longer than to do it, the more so while an engine is at work beside it.
  setFlagsFromString('--no-parallel-scavenge');
}

const program = join(__dirname, '../dist/program/main.cjs');
if (existsSync(program)) {
  require(program)
    .main(process.argv.slice(2))
    .then((status) => {
      process.exitCode = status;
    });
} else {
  console.error('error: habitus is not compiled yet\n  → Run "npm run build" in its folder.');
  process.exitCode = 70;
}
