import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { embed } from './scripts/embed.js'

// Beside a server that runs on its default ports; the built client comes from the server itself.
const SERVER = process.env.PETREL_HTTP ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue(), embed()],
  server: { proxy: { '/api': SERVER, '/ws': { target: SERVER, ws: true } } },
  build: { target: 'es2022', manifest: true, reportCompressedSize: false },
})
