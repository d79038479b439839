import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import typescript from 'typescript-eslint';

const inNode = [
  'Buffer',
  'URL',
  'AbortController',
  'clearInterval',
  'clearTimeout',
  'console',
  'fetch',
  'performance',
  'process',
  'setImmediate',
];
const timers = ['setInterval', 'setTimeout'];
const asGlobals = (names) => Object.fromEntries(names.map((name) => [name, 'readonly']));

/** nodes -> src -> native, one way only; the library knows nothing of Node-RED. */
const forbidden = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] });

export default defineConfig(
  globalIgnores(['.cache/', 'dist/', 'native/build/', '**/node_modules/']),
  js.configs.recommended,
  {
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  { files: ['**/*.{js,mjs,cjs}'], languageOptions: { globals: asGlobals([...inNode, ...timers]) } },
  { files: ['**/*.cjs'], languageOptions: { sourceType: 'commonjs', globals: asGlobals(['module', 'require', '__dirname']) } },
  {
    files: ['**/*.ts'],
    extends: [typescript.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // An async signature is a contract with callers, whether or not this body waits.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  { files: ['src/**/*.ts'], rules: { 'no-console': 'error', ...forbidden('**/nodes/**', 'node-red', '@node-red/*') } },
  { files: ['nodes/**/*.ts'], rules: forbidden('**/native/**', '**/src/native') },
);
