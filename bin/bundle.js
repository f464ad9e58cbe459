/**
 * The executable's modules as few files: a program that is started often spends most of a short run finding and reading
 * hundreds. Made of what tsc wrote; the library stays in dist as it is.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const require = createRequire(import.meta.url);
const { version } = require('../package.json');
const dockerode = require.resolve('dockerode');
const modem = createRequire(dockerode).resolve('docker-modem');

/** What the bundle holds in the place of a module. */
const INSTEAD = [
  {
    of: /[/\\]dist[/\\]engine[/\\]modem\.js$/,
    code: `import Modem from ${JSON.stringify(modem)};\nexport const loadModem = () => Modem;\n`,
  },
  {
    of: /[/\\]dist[/\\]version\.js$/,
    code: `export const packageVersion = () => ${JSON.stringify(version)};\n`,
  },
  // ssh:// is spoken by src/engine/ssh.ts; what docker-modem has for it takes longer to load than all the rest.
  { of: /[/\\]docker-modem[/\\]lib[/\\]ssh\.js$/, code: 'module.exports = undefined;\n' },
  // A copy of what Node has itself.
  {
    of: /[/\\]node_modules[/\\]readable-stream[/\\]readable\.js$/,
    code: "module.exports = require('node:stream');\n",
  },
];

/**
 * Files of what is always needed together, earlier ones first: each is resolved, read and looked up among what was compiled before,
 * which takes longer than a little more text. Roots are modules of dist; what they import at once goes with them.
 */
const TOGETHER = [
  { name: 'start', roots: ['cli/world'] },
  { name: 'compiled', roots: ['cli/compile-cache', 'cli/compiled-chunks'] },
  { name: 'version', roots: ['cli/version'] },
  { name: 'help', roots: ['cli/help'] },
  { name: 'plan', roots: ['cli/run', 'cli/build', 'build', 'open-plan', 'early-engine'] },
  { name: 'build-image', roots: ['core/step', 'core/build-image'] },
  { name: 'buildkit', roots: ['engine/buildkit'] },
  { name: 'buildkit-session', roots: ['engine/buildkit-session'] },
];

/** Makes a group of a file: of the roots and all that they import, directly or not. */
function groupOf({ name, roots }, rank) {
  let modules;
  const isPart = (id, graph) => {
    modules ??= importedFrom(roots, graph);
    return modules.has(id);
  };
  return {
    name: (id, graph) => (isPart(id, graph) ? name : null),
    debugName: name,
    priority: TOGETHER.length - rank,
  };
}

function importedFrom(roots, graph) {
  const modules = new Set(roots.map((root) => path(`../dist/${root}.js`)));
  // Those that are added on the way are gone through as well.
  for (const id of modules) graph.getModuleInfo(id)?.importedIds.forEach((imported) => modules.add(imported));
  return modules;
}

await build({
  input: { main: path('../dist/cli/main.js') },
  platform: 'node',
  // Loaded when they are needed, which is not in each run; they find files and native parts beside themselves.
  external: ['pino', 'ssh2'],
  plugins: [
    {
      name: 'instead',
      load(id) {
        return INSTEAD.find(({ of }) => of.test(id))?.code;
      },
    },
  ],
  output: {
    dir: path('../dist/program'),
    format: 'cjs',
    // Code that was compiled before cannot import(): Node 20 forgets who would answer.
    dynamicImportInCjs: false,
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    cleanDir: true,
    codeSplitting: { groups: TOGETHER.map(groupOf) },
    sourcemap: true,
    // Without comments and indentation there is a third less to read; names stay for who reads a stack.
    minify: { compress: false, mangle: false },
  },
});
