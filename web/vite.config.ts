import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { embed } from './scripts/embed.js'

// Beside a server that runs on its default ports; the built client comes from the server itself.
const SERVER = process.env.PETREL_HTTP ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue(), embed()],
  // The server compares the origin of a page with the host that is asked: that is to stay the page's own.
  server: { proxy: Object.fromEntries(['/api', '/files', '/ws'].map((path) => [path, { target: SERVER, changeOrigin: false, ws: path === '/ws' }])) },
  build: {
    target: 'es2022',
    manifest: true,
    reportCompressedSize: false,
    // Nothing in the page's own text: the server's policy forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: 'index.html', 'service-worker': 'src/service-worker.ts' },
      output: { entryFileNames: ({ name }) => (name === 'service-worker' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
})
