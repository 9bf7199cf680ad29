import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { generate } from '../scripts/types.js'

it('the wire types are fresh (npm run types rewrites them)', async () => {
  const written = await readFile(new URL('../src/engine/wire/protocol.ts', import.meta.url), 'utf8')
  expect(written).toBe(await generate())
})
