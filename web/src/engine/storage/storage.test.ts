/** What every storage promises, held against each of them. */
import 'fake-indexeddb/auto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TimelineEvent } from '../event'
import type { Storage } from '../ports'
import { IndexedDbStorage } from './indexeddb'
import { MemoryDisk, MemoryStorage } from './memory'
import { emptyBatch, type Batch, type ConversationRecord } from './records'

let databases = 0
const disk = () => new MemoryDisk()
const BACKENDS: [string, () => () => Promise<Storage>][] = [
  ['memory', () => ((kept) => () => Promise.resolve(new MemoryStorage(kept)))(disk())],
  ['IndexedDB', () => ((name) => () => IndexedDbStorage.open(name))(`test-${(databases += 1)}`)],
]

function message(conversationId: string, seq: number, body: string): TimelineEvent {
  const what = { kind: 'message' as const, body, rev: 0, edited: false, recalled: false }
  return { conversationId, seq, row: `${seq}`, from: '1', ts: seq, what }
}

function record(conversationId: string, position: number): ConversationRecord {
  return {
    conversationId, kind: 'group', summarySeq: 0, present: true, position, from: 1, trimmedBefore: 1,
    head: position, wanted: position, own: { delivered: 0, read: 0 }, peerCursors: { delivered: 0, read: 0 },
    readHere: 0, unread: 0, unreadMentions: 0, group: { kind: 'unknown' }, requests: { kind: 'unknown' },
    contacts: { kind: 'unknown' }, ts: 0,
  }
}

describe.each(BACKENDS)('storage in %s', (_, place) => {
  it('has after a restart what was committed', async () => {
    const open = place()
    const first = await open()
    const batch = emptyBatch()
    batch.device = { userId: '1', epoch: '2', syncToken: 't' }
    batch.conversations.set('7', record('7', 3))
    batch.events.push(message('7', 1, 'a'), message('7', 2, 'b'), message('7', 3, 'c'))
    await first.commit(batch)
    first.close()
    const stored = await (await open()).load(2)
    expect(stored.device).toEqual(batch.device)
    expect(stored.conversations).toEqual([record('7', 3)])
    expect(stored.events.get('7')).toEqual([message('7', 2, 'b'), message('7', 3, 'c')])
  })

  it('keeps the outbox when it is reset', async () => {
    const storage = await place()()
    const first = emptyBatch()
    first.conversations.set('7', record('7', 1))
    first.events.push(message('7', 1, 'a'))
    const request = { type: 'SINGLE_CHAT' as const, to: '2', body: 'x' }
    first.outbox.set('m', { clientMsgId: 'm', order: 1, lane: 'user:2', request, createdTs: 1, state: 'waiting' })
    await storage.commit(first)
    await storage.commit({ ...emptyBatch(), reset: true })
    const stored = await storage.load(10)
    expect(stored.conversations).toEqual([])
    expect(await storage.eventsBefore('7', 100, 10)).toEqual([])
    expect(stored.outbox.map(({ clientMsgId }) => clientMsgId)).toEqual(['m'])
  })

  it('forgets single messages, also one that comes with the same batch', async () => {
    const storage = await place()()
    const first = emptyBatch()
    first.conversations.set('7', record('7', 2))
    first.events.push(message('7', 1, 'a'), message('7', 2, 'b'), message('8', 1, 'c'))
    await storage.commit(first)
    const second = emptyBatch()
    second.events.push(message('7', 3, 'd'), message('7', 4, 'e'))
    second.hide.set('7', [1, 3, 9])
    await storage.commit(second)
    expect((await storage.eventsBefore('7', 10, 5)).map(({ seq }) => seq)).toEqual([2, 4])
    expect(await storage.eventsBefore('8', 10, 5)).toHaveLength(1)
  })

  it('amends a message that is not in memory, and by rev only', async () => {
    const storage = await place()()
    const first = emptyBatch()
    first.conversations.set('7', record('7', 1))
    first.events.push(message('7', 1, 'a'))
    await storage.commit(first)
    const second = emptyBatch()
    second.amendments.push({ conversationId: '7', amendment: { targetSeq: 1, seq: 9, body: 'new' } })
    second.amendments.push({ conversationId: '7', amendment: { targetSeq: 1, seq: 8, body: 'late' } })
    second.amendments.push({ conversationId: '7', amendment: { targetSeq: 5, seq: 8 } })
    await storage.commit(second)
    expect((await storage.eventsBefore('7', 2, 5))[0]?.what).toMatchObject({ body: 'new', rev: 9, edited: true })
  })
})

it('memory and IndexedDB agree, batch by batch', async () => {
  const id = fc.constantFrom('7', '8')
  const seq = fc.integer({ min: 1, max: 12 })
  const step = fc.oneof(
    fc.tuple(id, seq, fc.string()).map(([at, n, body]) => ({ events: [message(at, n, body)] })),
    fc.tuple(id, seq).map(([at, n]) => ({ forget: new Map([[at, n]]) })),
    fc.tuple(id, fc.array(seq, { maxLength: 3 })).map(([at, seqs]) => ({ hide: new Map([[at, seqs]]) })),
    fc.tuple(id, seq, fc.integer({ min: 13, max: 20 })).map(([at, n, rev]) => ({
      amendments: [{ conversationId: at, amendment: { targetSeq: n, seq: rev } }],
    })),
    fc.constant({ reset: true, conversations: new Map([['7', record('7', 1)], ['8', record('8', 1)]]) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 8 }), async (batches) => {
      const memory = new MemoryStorage()
      const indexed = await IndexedDbStorage.open(`property-${(databases += 1)}`)
      for (const parts of [[{ conversations: new Map([['7', record('7', 1)], ['8', record('8', 1)]]) }], ...batches]) {
        const batch = Object.assign(emptyBatch(), ...parts) as Batch
        await memory.commit(batch)
        await indexed.commit(batch)
      }
      const [one, other] = [await memory.load(5), await indexed.load(5)]
      for (const at of ['7', '8']) {
        expect(other.events.get(at) ?? []).toEqual(one.events.get(at) ?? [])
        expect(await indexed.eventsBefore(at, 9, 3)).toEqual(await memory.eventsBefore(at, 9, 3))
      }
      indexed.close()
    }),
    { numRuns: 60 },
  )
})
