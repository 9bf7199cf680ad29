// A Vite plugin that makes a build ready to be embedded in the server: the list of what it
// was built from, and every text also in gzip and Brotli, so that the server compresses nothing.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { sources } from './sources.js'

/** Files of these kinds become shorter; pictures and fonts are compressed already. */
const TEXTS = /\.(css|html|js|json|svg|txt|webmanifest)$/
/** Shorter files fit into one packet as they are, in bytes. */
const SHORT = 1_000
/** What of public/ is shown without a network. */
const KEPT = ['petrel.svg', 'icon-192.png', 'manifest.webmanifest']

export function embed() {
  let directory
  return {
    name: 'embed',
    apply: 'build',
    configResolved(config) {
      directory = join(config.root, config.build.outDir)
    },
    /** The service worker keeps every file of the client, under a name that is this build's. */
    generateBundle(_, bundle) {
      const worker = Object.values(bundle).find(({ fileName }) => fileName === 'sw.js')
      const files = Object.keys(bundle).filter((file) => file.startsWith('assets/')).sort()
      const version = createHash('sha256').update(files.join('\n')).digest('hex').slice(0, 16)
      const shell = { version, files: [...KEPT, ...files].map((file) => `/${file}`) }
      worker.code = worker.code.replaceAll('__SHELL__', JSON.stringify(shell))
    },
    closeBundle() {
      // The directory is in the repository, so that the server's build can watch it.
      writeFileSync(join(directory, '.gitignore'), '*\n!.gitignore\n')
      for (const file of readdirSync(directory, { recursive: true })) {
        if (!TEXTS.test(file)) continue
        const path = join(directory, file)
        const content = readFileSync(path)
        if (content.length < SHORT) continue
        const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }
        writeFileSync(`${path}.gz`, gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))
        writeFileSync(`${path}.br`, brotliCompressSync(content, quality))
      }
      // Last, so that an interrupted build is not taken for a whole one.
      writeFileSync(join(directory, 'sources.txt'), sources())
    },
  }
}
