/**
 * One step of the engine: what a frame, or a wish of the user, changes. It is collected
 * while the step is taken, then written to storage as a whole and shown to the user.
 */
import { type Amendment, type TimelineEvent } from './event'
import type { OutboxEntry } from './outbox'
import { emptyBatch, type Batch } from './storage/records'

export class Step {
  readonly batch: Batch = emptyBatch()
  /** Conversations whose record is another one now. */
  readonly touched = new Set<string>()
  /** Events that are new or changed in memory, by conversation. */
  readonly shown = new Map<string, TimelineEvent[]>()
  /** Whether something happened that only the server can count. */
  miscounted = false
  /** Whether the personal timeline has a hole: anything held of other conversations may have been deleted there. */
  lostOwn = false
  /** Conversations of which events were forgotten, so that they are shown anew. */
  readonly redrawn = new Set<string>()

  touch(conversationId: string): void {
    this.touched.add(conversationId)
  }

  /** An event came in. */
  put(event: TimelineEvent): void {
    this.batch.events.push(event)
    this.show(event)
  }

  /** An event is in memory that was not, or not so. */
  show(event: TimelineEvent): void {
    const shown = this.shown.get(event.conversationId)
    if (shown) shown.push(event)
    else this.shown.set(event.conversationId, [event])
  }

  amend(conversationId: string, amendment: Amendment): void {
    this.batch.amendments.push({ conversationId, amendment })
  }

  /** Events before a seq are not kept any longer. */
  forgetBefore(conversationId: string, seq: number): void {
    this.batch.forget.set(conversationId, seq)
    this.batch.events = this.batch.events.filter(
      (event) => event.conversationId !== conversationId || event.seq >= seq,
    )
    this.redrawn.add(conversationId)
  }

  /** These events are not shown to the user any more. */
  hide(conversationId: string, seqs: number[]): void {
    if (seqs.length === 0) return
    this.batch.hide.set(conversationId, [...(this.batch.hide.get(conversationId) ?? []), ...seqs])
    this.redrawn.add(conversationId)
  }

  putEntry(entry: OutboxEntry): void {
    this.batch.outbox.set(entry.clientMsgId, entry)
  }

  removeEntry(clientMsgId: string): void {
    this.batch.outbox.set(clientMsgId, null)
  }
}
