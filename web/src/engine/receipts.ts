/**
 * Telling the server how far this device has received and the user has read, not for each
 * message, but for the latest every so often. `delivered` is said only of what is on disk.
 */
import type { Device } from './device'
import type { Link } from './link'
import type { Clock } from './ports'
import type { ConversationRecord } from './storage/records'
import type { Timeline } from './timeline'
import type { Limits } from './wire/protocol'

/** How long receipts are collected, in milliseconds. */
const COLLECT_MS = 100

interface Said {
  delivered: number
  read: number
  deliveredAt: number
}

export interface ReceiptsOptions {
  device: Device
  link: Link
  clock: Clock
  limits: Limits
}

export class Receipts {
  readonly #options: ReceiptsOptions
  /** What was said of each conversation in this session. */
  readonly #said = new Map<string, Said>()
  /** How far each copy is on disk. */
  readonly #written = new Map<string, number>()
  readonly #dirty = new Set<string>()
  #cancel: (() => void) | undefined

  constructor(options: ReceiptsOptions) {
    this.#options = options
    const timelines = [...options.device.timelines.values()]
    for (const timeline of timelines) this.#saidOf(timeline)
    this.onDurable(timelines.map(({ record }) => record))
  }

  stop(): void {
    this.#cancel?.()
  }

  /** Own words need no receipt. */
  ownWord(timeline: Timeline, seq: number): void {
    const said = this.#saidOf(timeline)
    if (said.delivered >= seq - 1) said.delivered = Math.max(said.delivered, seq)
  }

  /** These copies are on disk now, or never will be. */
  onDurable(records: Iterable<ConversationRecord>): void {
    for (const { conversationId, position } of records) {
      if (position !== null) this.#written.set(conversationId, position)
      this.#dirty.add(conversationId)
    }
    this.#schedule(COLLECT_MS)
  }

  #schedule(delayMs: number): void {
    if (this.#cancel || this.#dirty.size === 0) return
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#cancel = undefined
      this.#flush()
    })
  }

  #flush(): void {
    const { device, clock, limits } = this.#options
    const now = clock.now()
    const delivered: { conversationId: string; msgSeq: number }[] = []
    const read: typeof delivered = []
    let nextMs = Infinity
    // A copy: what has to wait is put back, and a set would come to it again at once.
    for (const id of [...this.#dirty]) {
      const timeline = device.timelines.get(id)
      this.#dirty.delete(id)
      if (!timeline) continue
      const said = this.#saidOf(timeline)
      const { record } = timeline
      if (record.readHere > Math.max(record.own.read, said.read)) {
        read.push({ conversationId: id, msgSeq: record.readHere })
        said.read = record.readHere
        said.delivered = Math.max(said.delivered, record.readHere)
      }
      const written = this.#written.get(id) ?? 0
      if (written <= said.delivered) continue
      const waitMs = record.kind === 'group' ? said.deliveredAt + limits.ackIntervalMs - now : 0
      if (waitMs > 0) {
        this.#dirty.add(id)
        nextMs = Math.min(nextMs, waitMs)
        continue
      }
      delivered.push({ conversationId: id, msgSeq: written })
      said.delivered = written
      said.deliveredAt = now
    }
    this.#send('delivered', delivered)
    this.#send('read', read)
    if (nextMs < Infinity) this.#schedule(nextMs)
  }

  #send(ackType: 'delivered' | 'read', items: { conversationId: string; msgSeq: number }[]): void {
    const { link, limits } = this.#options
    for (let start = 0; start < items.length; start += limits.ackItems) {
      link.send({ type: 'ACK', ackType, items: items.slice(start, start + limits.ackItems) })
    }
  }

  #saidOf(timeline: Timeline): Said {
    let said = this.#said.get(timeline.id)
    if (!said) {
      // Where the server is known to be: what is pushed beyond is acknowledged here.
      said = { delivered: timeline.record.own.delivered, read: 0, deliveredAt: -Infinity }
      this.#said.set(timeline.id, said)
    }
    return said
  }
}
