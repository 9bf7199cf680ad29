/** Whatever the server may refuse, its reader is told why in words: every reason of docs/protocol.md, in both languages. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import en from '../src/app/locales/en/errors'
import zh from '../src/app/locales/zh/errors'

const protocol = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
const [, table = ''] = /<!-- begin generated: errors -->([\s\S]*?)<!-- end generated: errors -->/.exec(protocol) ?? []
const reasons = [...table.matchAll(/^\| `(\w+)` \| \d+ \|/gm)].map(([, reason]) => reason!)

it('the table of reasons is found', () => {
  expect(reasons.length).toBeGreaterThan(60)
  expect(reasons).toContain('server_busy')
})

it.each(Object.entries({ en, zh }) as [string, Record<string, string>][])('every reason has words (%s)', (_, words) => {
  expect(reasons.filter((reason) => !words[reason])).toEqual([])
  // Words that stand for others stand for some that are there.
  const linked = Object.values(words).flatMap((text) => /^@:errors\.(\w+)$/.exec(text)?.[1] ?? [])
  expect(linked.filter((reason) => words[reason] === undefined)).toEqual([])
})
