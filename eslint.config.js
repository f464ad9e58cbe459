import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * Imports go one way (docs/architecture.md): each room lists the rooms it may not enter.
 * `tar`, `dockerfile` ← `image` ← `core` ← `config`, `engine`, `secrets`, `cache`, `report` ← `cli`.
 */
const ROOMS = [
  'cache',
  'cli',
  'config',
  'core',
  'dockerfile',
  'engine',
  'image',
  'lab',
  'report',
  'secrets',
  'tar',
];
const MAY_ENTER = {
  tar: [],
  dockerfile: [],
  image: ['tar', 'dockerfile'],
  core: ['tar', 'dockerfile', 'image'],
  config: ['tar', 'dockerfile', 'image', 'core'],
  engine: ['tar', 'dockerfile', 'image', 'core'],
  secrets: ['tar', 'dockerfile', 'image', 'core'],
  cache: ['tar', 'dockerfile', 'image', 'core'],
  report: ['tar', 'dockerfile', 'image', 'core'],
  lab: [],
};

const oneWay = Object.entries(MAY_ENTER).map(([room, allowed]) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        paths: room === 'engine' ? [] : [{ name: 'dockerode', message: 'Only src/engine knows dockerode.' }],
        patterns: ROOMS.filter((other) => other !== room && !allowed.includes(other)).map((other) => ({
          group: [`**/${other}/*`],
          message: `src/${room} may not import src/${other} (docs/architecture.md).`,
        })),
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'test/fixtures'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: {
      globals: { process: 'readonly', console: 'readonly', Buffer: 'readonly', URL: 'readonly' },
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', __dirname: 'readonly' } },
  },
  ...oneWay,
);
