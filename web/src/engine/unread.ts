/**
 * The unread messages of one conversation. Those in memory are counted; of those before them only the number is known, from
 * before or from the server. Keeps the outcome in the record of the conversation.
 */
import type { Copy } from './derived-states'
import { countsForUnread, isMention, type Amendment, type TimelineEvent } from './event'
import type { Step } from './step'
import { indexFrom } from './window'

/** Messages that are unread, and how many of them name the user or everybody. */
interface Count {
  messages: number
  mentions: number
}

const NONE: Count = { messages: 0, mentions: 0 }

export interface ReadCopy extends Copy {
  /** How far the user has read, as far as this device knows. */
  readonly read: number
}

export class Unread {
  /** Those before the first event in memory. */
  #before: Count

  constructor(private readonly copy: ReadCopy) {
    const { unread: messages, unreadMentions: mentions } = copy.record
    this.#before = less({ messages, mentions }, this.#countAfter(copy.read))
  }

  /** Nothing before the first event in memory matters any more. */
  forgetBefore(): void {
    this.#before = NONE
  }

  /** These are in memory now, too, before all others. */
  prepended(events: TimelineEvent[]): void {
    this.#before = less(this.#before, this.#countOf(events.filter(({ seq }) => seq > this.copy.read)))
  }

  /**
   * Whether a message that is not in memory may have named the user until now. What the server
   * has counted already is right.
   */
  mayUnname({ targetSeq, seq, body }: Amendment): boolean {
    const { record, read } = this.copy
    const isCounted = record.anchor !== undefined && seq <= record.anchor.headSeq
    return body === undefined && targetSeq > read && this.#before.mentions > 0 && !isCounted
  }

  /** Brings the record up to date. */
  count(step: Step): void {
    const { record, read, loadedFrom } = this.copy
    const { anchor, position } = record
    if (anchor && read >= anchor.headSeq) {
      delete record.anchor
      this.#before = NONE
    } else if (anchor && (position === null || position < anchor.headSeq)) {
      record.unread = anchor.unread
      record.unreadMentions = anchor.unreadMentions
      return
    } else if (anchor) {
      delete record.anchor
      const held = this.#countAfter(anchor.readSeq, anchor.headSeq)
      const { unread: messages, unreadMentions: mentions } = anchor
      this.#before = less({ messages, mentions }, held)
    }
    if (read >= loadedFrom - 1) this.#before = NONE
    const { messages, mentions } = this.#countAfter(read)
    record.unread = this.#before.messages + messages
    record.unreadMentions = this.#before.mentions + mentions
    step.touch(record.conversationId)
  }

  #countAfter(seq: number, upTo = Infinity): Count {
    const { events } = this.copy
    const end = upTo === Infinity ? events.length : indexFrom(events, upTo + 1)
    return this.#countOf(events.slice(indexFrom(events, seq + 1), end))
  }

  #countOf(events: TimelineEvent[]): Count {
    const { user } = this.copy
    return {
      messages: events.filter(countsForUnread).length,
      mentions: events.filter((event) => isMention(event, user)).length,
    }
  }
}

function less(one: Count, other: Count): Count {
  return {
    messages: Math.max(0, one.messages - other.messages),
    mentions: Math.max(0, one.mentions - other.mentions),
  }
}
