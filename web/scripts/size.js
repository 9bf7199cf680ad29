// Fails if what a browser loads to log in and to show the chats is too much script.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

/** In bytes, after gzip. */
const MOST = 300_000
/** What is loaded on demand, but always before somebody can chat. */
const SHELL = /^src\/app\/(auth|chat|layout|locales\/zh|stores|platform)\b/

const DIST = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', DIST), 'utf8'))

const scripts = new Set()
function take(name) {
  const chunk = manifest[name]
  if (!chunk?.file.endsWith('.js') || scripts.has(chunk.file)) return
  scripts.add(chunk.file)
  for (const other of chunk.imports ?? []) take(other)
  for (const other of chunk.dynamicImports ?? []) if (SHELL.test(other)) take(other)
}
take('index.html')

const sizes = [...scripts].map((file) => ({ file, bytes: gzipSync(readFileSync(new URL(file, DIST))).length }))
const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
for (const { file, bytes } of sizes.sort((one, other) => other.bytes - one.bytes)) {
  console.log(`${String(bytes).padStart(8)}  ${file}`)
}
console.log(`${String(total).padStart(8)}  of ${MOST} bytes of script after gzip for log-in and chats`)
if (scripts.size === 0 || total > MOST) process.exit(1)
