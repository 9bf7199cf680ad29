// What a build of the client depends on, as a list: one line per file, with a hash, the
// length and the path. The build leaves it in dist/sources.txt; the server's build
// (crates/petrel-web/build.rs) makes the same list and embeds no client that differs.
import { readdirSync, readFileSync, statSync } from 'node:fs'

const WEB = new URL('../', import.meta.url)
const SOURCES = ['index.html', 'package.json', 'package-lock.json', 'public', 'scripts', 'src', 'vite.config.ts']

/** All files at or below a path, but for the hidden ones. */
function filesAt(path) {
  const stat = statSync(new URL(path, WEB), { throwIfNoEntry: false })
  if (!stat) return []
  if (!stat.isDirectory()) return [path]
  const names = readdirSync(new URL(path, WEB)).filter((name) => !name.startsWith('.'))
  return names.flatMap((name) => filesAt(`${path}/${name}`))
}

/** FNV-1a in 32 bits: to notice a change, not an attacker. */
function hash(bytes) {
  let value = 0x811c9dc5
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193)
  return (value >>> 0).toString(16).padStart(8, '0')
}

export function sources() {
  const paths = SOURCES.flatMap(filesAt).filter(
    (path) => !path.endsWith('.test.ts') && !path.startsWith('src/engine/testing/'),
  )
  paths.sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  return paths
    .map((path) => {
      const content = readFileSync(new URL(path, WEB))
      return `${hash(content)} ${content.length} ${path}\n`
    })
    .join('')
}
