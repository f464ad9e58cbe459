#!/usr/bin/env node
/** The executable: hands over to the compiled program. */
import { existsSync } from 'node:fs';

const program = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(program)) {
  const { main } = await import(program.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error('error: habitus is not compiled yet\n  → Run "npm run build" in its folder.');
  process.exitCode = 70;
}
