import js from '@eslint/js'
import vue from 'eslint-plugin-vue'
import typescript from 'typescript-eslint'

/** What a runtime has that the engine is to be given instead. */
const FORBIDDEN_GLOBALS = [
  'window', 'document', 'navigator', 'location', 'localStorage', 'sessionStorage', 'indexedDB',
  'fetch', 'WebSocket', 'BroadcastChannel', 'setTimeout', 'setInterval', 'setImmediate', 'performance',
  'crypto', 'process', 'console',
]

export default typescript.config(
  { ignores: ['dist/**', 'src/engine/wire/protocol.ts'] },
  js.configs.recommended,
  ...typescript.configs.strict,
  ...vue.configs['flat/recommended'],
  {
    files: ['**/*.vue'],
    languageOptions: { parserOptions: { parser: typescript.parser } },
    rules: { 'no-undef': 'off', 'vue/multi-word-component-names': 'off', 'vue/max-attributes-per-line': 'off', 'vue/singleline-html-element-content-newline': 'off', 'vue/html-self-closing': 'off', 'vue/require-default-prop': 'off', '@typescript-eslint/no-non-null-assertion': 'off', '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }] },
  },
  {
    files: ['**/*.ts', '**/*.js'],
    rules: {
      'no-undef': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
    },
  },
  {
    // The engine has neither DOM nor Vue, and is given clock, chance, network and disk.
    files: ['src/engine/**/*.ts'],
    ignores: ['src/engine/**/*.test.ts', 'src/engine/testing/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...FORBIDDEN_GLOBALS.map((name) => ({ name, message: 'The engine is given it through src/engine/ports.ts.' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Use the Random of src/engine/ports.ts.' },
        { object: 'Date', property: 'now', message: 'Use the Clock of src/engine/ports.ts.' },
      ],
      'no-restricted-syntax': ['error', { selector: "NewExpression[callee.name='Date']", message: 'Use the Clock of src/engine/ports.ts.' }],
      'no-restricted-imports': [
        'error',
        {
          paths: ['vue', 'pinia', 'vue-router', 'vue-i18n', '@vueuse/core'],
          patterns: [
            { group: ['**/app/**', 'node:*'], message: 'The engine knows neither the application nor Node.' },
            { group: ['**/testing/**'], message: 'Only tests see these.' },
          ],
        },
      ],
    },
  },
  {
    files: ['src/engine/testing/**/*.ts', '**/*.test.ts', 'tests/**/*.ts'],
    rules: { '@typescript-eslint/no-explicit-any': 'off' },
  },
)
