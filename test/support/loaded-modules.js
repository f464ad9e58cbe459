/** Preloaded into the program (`--import`): at its end it writes the files of all CommonJS modules it has loaded, one a line. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

process.on('exit', () => {
  const { cache } = createRequire(import.meta.url);
  writeFileSync(process.env.LOADED_MODULES, Object.keys(cache).join('\n'));
});
