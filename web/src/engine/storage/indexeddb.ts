/**
 * Storage in IndexedDB: one database per user and device, one transaction per batch.
 *
 * A batch is durable when `commit` resolves, as far as the browser keeps its word
 * (`durability: 'strict'` asks it to wait for the disk).
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { amended, type TimelineEvent } from '../event'
import type { OutboxEntry } from '../outbox'
import type { Storage } from '../ports'
import type { Batch, ConversationRecord, DeviceRecord, Stored } from './records'

interface Schema extends DBSchema {
  device: { key: 'device'; value: DeviceRecord }
  conversations: { key: string; value: ConversationRecord }
  events: { key: [string, number]; value: TimelineEvent }
  outbox: { key: string; value: OutboxEntry }
}

const STORES = ['device', 'conversations', 'events', 'outbox'] as const
const VERSION = 1

/** A key above all seqs. */
const END = Number.MAX_SAFE_INTEGER

export class IndexedDbStorage implements Storage {
  readonly #database: IDBPDatabase<Schema>

  private constructor(database: IDBPDatabase<Schema>) {
    this.#database = database
  }

  static async open(name: string): Promise<IndexedDbStorage> {
    const database = await openDB<Schema>(name, VERSION, {
      upgrade(created) {
        created.createObjectStore('device')
        created.createObjectStore('conversations', { keyPath: 'conversationId' })
        created.createObjectStore('events', { keyPath: ['conversationId', 'seq'] })
        created.createObjectStore('outbox', { keyPath: 'clientMsgId' })
      },
    })
    return new IndexedDbStorage(database)
  }

  async load(eventsOfEach: number): Promise<Stored> {
    const transaction = this.#database.transaction(STORES)
    const device = await transaction.objectStore('device').get('device')
    const conversations = await transaction.objectStore('conversations').getAll()
    const outbox = await transaction.objectStore('outbox').getAll()
    const events = new Map<string, TimelineEvent[]>()
    const store = transaction.objectStore('events')
    await Promise.all(
      conversations.map(async ({ conversationId }) => {
        const last: TimelineEvent[] = []
        let cursor = await store.openCursor(rangeOf(conversationId, 0, END), 'prev')
        for (; cursor && last.length < eventsOfEach; cursor = await cursor.continue()) {
          last.push(cursor.value)
        }
        events.set(conversationId, last.reverse())
      }),
    )
    return { ...(device === undefined ? {} : { device }), conversations, events, outbox }
  }

  async commit(batch: Batch): Promise<void> {
    const transaction = this.#database.transaction(STORES, 'readwrite', { durability: 'strict' })
    const device = transaction.objectStore('device')
    const conversations = transaction.objectStore('conversations')
    const events = transaction.objectStore('events')
    const outbox = transaction.objectStore('outbox')
    // Requests of one transaction are carried out in the order in which they are made.
    const requests: Promise<unknown>[] = []
    if (batch.reset === true) requests.push(device.clear(), conversations.clear(), events.clear())
    if (batch.device) requests.push(device.put(batch.device, 'device'))
    for (const record of batch.conversations.values()) requests.push(conversations.put(record))
    for (const [id, seq] of batch.forget) {
      requests.push(events.delete(rangeOf(id, 0, Math.min(seq, END), true)))
    }
    for (const event of batch.events) requests.push(events.put(event))
    for (const [id, seqs] of batch.hide) for (const seq of seqs) requests.push(events.delete([id, seq]))
    for (const [name, entry] of batch.outbox) {
      requests.push(entry ? outbox.put(entry) : outbox.delete(name))
    }
    // One after the other: two may be of the same message.
    const amend = async () => {
      for (const { conversationId, amendment } of batch.amendments) {
        const event = await events.get([conversationId, amendment.targetSeq])
        const next = event && amended(event, amendment)
        if (next && next !== event) await events.put(next)
      }
    }
    requests.push(amend())
    await Promise.all([...requests, transaction.done])
  }

  async eventsBefore(conversationId: string, seq: number, limit: number): Promise<TimelineEvent[]> {
    const store = this.#database.transaction('events').store
    const found: TimelineEvent[] = []
    let cursor = await store.openCursor(rangeOf(conversationId, 0, seq, true), 'prev')
    for (; cursor && found.length < limit; cursor = await cursor.continue()) found.push(cursor.value)
    return found.reverse()
  }

  close(): void {
    this.#database.close()
  }
}

function rangeOf(conversationId: string, from: number, to: number, isOpen = false): IDBKeyRange {
  return IDBKeyRange.bound([conversationId, from], [conversationId, to], false, isOpen)
}
