#!/usr/bin/env node
/** The executable: hands over to the compiled program. */
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

// Most of what is made here is garbage at once: without these bounds V8 keeps some 20 MB of it before it looks.
setFlagsFromString('--max-semi-space-size=2');
setFlagsFromString('--semi-space-growth-factor=1');

const program = new URL('../dist/program/main.js', import.meta.url);
if (existsSync(program)) {
  const { main } = await import(program.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error('error: habitus is not compiled yet\n  → Run "npm run build" in its folder.');
  process.exitCode = 70;
}
