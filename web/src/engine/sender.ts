/** Sends what is in the outbox over one session, and takes what becomes of it. */
import type { Device } from './device'
import { contentOf, mentionsOf, type Content, type TimelineEvent } from './event'
import type { Link } from './link'
import { isChat, type OutboxEntry, type Request } from './outbox'
import type { Clock } from './ports'
import type { AnyError, DoneFrame, SavedFrame } from './wire/codec'
import type { ClientFrame, Limits } from './wire/protocol'

/** Sends under way at once; the server allows more. */
const UNDER_WAY_MAX = 64

type Chat = Extract<Request, { type: 'SINGLE_CHAT' | 'GROUP_CHAT' }>

export interface SenderOptions {
  device: Device
  link: Link
  clock: Clock
  limits: Limits
  /** Pulls what an ack says there is. */
  look: (conversationIds: string[]) => void
  /** An event of one's own needs no receipt. */
  ownWord: (conversationId: string, seq: number) => void
}

export class Sender {
  readonly #options: SenderOptions
  #cancel: (() => void) | undefined
  #pausedUntil = 0

  constructor(options: SenderOptions) {
    this.#options = options
  }

  stop(): void {
    this.#cancel?.()
    const { device } = this.#options
    device.step((step) => {
      for (const entry of device.outbox.disconnect()) step.putEntry(entry)
    })
  }

  /** Sends whatever may go now. */
  flush(): void {
    const { device, clock, limits } = this.#options
    const now = clock.now()
    if (now < this.#pausedUntil) {
      this.#wake(this.#pausedUntil - now)
      return
    }
    const room = Math.min(limits.sendsInFlight, UNDER_WAY_MAX)
    const isReady = (entry: OutboxEntry) => device.isWritten(entry)
    for (;;) {
      const entry = device.outbox.next(now, room, isReady)
      if (!entry) break
      this.#send(entry)
    }
    const dueAt = device.outbox.dueAt(now)
    if (dueAt !== undefined) this.#wake(dueAt - now)
  }

  /** The server reads this session no faster than its rate; give it a rest. */
  pause(durationMs: number): void {
    this.#pausedUntil = this.#options.clock.now() + durationMs
  }

  saved(ack: SavedFrame): void {
    const { device } = this.#options
    const { clientMsgId, conversationId, msgSeq } = ack
    const entry = device.outbox.get(clientMsgId)
    device.step((step) => {
      const timeline = device.timeline(conversationId, kindOf(entry))
      if (entry?.request.type === 'SINGLE_CHAT') timeline.record.peer ??= entry.request.to
      // What was sent is not what is stored, if words of it were replaced: that is asked for.
      const isKnown = ack.duplicate !== true && ack.wordsReplaced !== true
      const event = entry && isKnown ? this.#eventOf(entry, ack) : undefined
      const saved = device.outbox.save(clientMsgId, { conversationId, seq: msgSeq })
      if (saved) step.putEntry(saved)
      if (event) timeline.place(step, event)
      else timeline.hear(step, msgSeq)
    })
    this.#options.ownWord(conversationId, msgSeq)
    this.#options.look([conversationId])
    this.flush()
  }

  /** What follows from it comes as events. */
  done({ clientMsgId }: DoneFrame): void {
    const { device } = this.#options
    device.step((step) => {
      if (device.outbox.finish(clientMsgId)) step.removeEntry(clientMsgId)
    })
    this.flush()
  }

  refused(error: AnyError): void {
    const { device, clock } = this.#options
    const { clientMsgId } = error
    if (clientMsgId === undefined) return
    device.step((step) => {
      const entry = device.outbox.fail(clientMsgId, error, clock.now())
      if (entry) step.putEntry(entry)
    })
    this.flush()
  }

  #send(entry: OutboxEntry): void {
    const { device, link, limits } = this.#options
    const serverNow = link.time.now()
    const { clientMsgId, firstSentTs, request } = entry
    const age = firstSentTs === undefined ? 0 : serverNow - firstSentTs
    // The server says so of messages; changes it would take for new ones.
    if (!isChat(entry) && age > limits.retryWindowMs) {
      device.step((step) => {
        const refused = device.outbox.refuse(clientMsgId, 'retry_too_old', 'it is too old to be sent again')
        if (refused) step.putEntry(refused)
      })
      return
    }
    const again =
      firstSentTs !== undefined && isChat(entry) ? { retry: true, firstSentTs } : undefined
    device.step((step) => step.putEntry(device.outbox.send(entry, serverNow)))
    link.send({ ...request, clientMsgId, ...again } as ClientFrame)
  }

  /**
   * What stands at the place of an ack, where this device knows it as well as the server: it
   * needs no fallback for a kind that it has sent itself.
   */
  #eventOf(entry: OutboxEntry, ack: SavedFrame): TimelineEvent | undefined {
    const { request } = entry
    const event = {
      conversationId: ack.conversationId,
      seq: ack.msgSeq,
      row: ack.serverMsgId,
      from: this.#options.device.userId,
      clientMsgId: ack.clientMsgId,
      ts: ack.ts,
    }
    switch (request.type) {
      case 'SINGLE_CHAT':
      case 'GROUP_CHAT': {
        const content = this.#contentOf(request, ack.conversationId)
        if (!content) return undefined
        const named = request.type === 'GROUP_CHAT' ? mentionsOf(request) : {}
        const what = { body: request.body ?? '', rev: 0, edited: false, recalled: false, ...content, ...named }
        return { ...event, what: { kind: 'message', ...what } }
      }
      case 'MESSAGE_REVOKE': {
        if (request.msgSeq === undefined) return undefined
        const change = { kind: 'recalled' as const, targetSeq: request.msgSeq }
        return { ...event, what: { kind: 'change', change, fallback: '' } }
      }
      case 'MESSAGE_EDIT': {
        if (request.msgSeq === undefined) return undefined
        const change = { kind: 'edited' as const, targetSeq: request.msgSeq, body: request.body }
        return { ...event, what: { kind: 'change', change, fallback: '' } }
      }
      case 'REACTION': {
        if (request.msgSeq === undefined) return undefined
        const { msgSeq: targetSeq, emoji, remove } = request
        const change = { kind: 'reacted' as const, targetSeq, emoji, ...(remove === true ? { removed: true } : {}) }
        return { ...event, what: { kind: 'change', change, fallback: '' } }
      }
      default:
        return undefined
    }
  }

  /** What a message says beside its text, unless only the server knows. */
  #contentOf(request: Chat, conversationId: string): Content | undefined {
    const { msgType, attachment, forward, location, custom, replyTo: msgSeq } = request
    if (attachment !== undefined || forward !== undefined) return undefined
    const quoted = msgSeq === undefined ? undefined : this.#options.device.timeline(conversationId).find(msgSeq)
    if (msgSeq !== undefined && !quoted) return undefined
    const replyTo = quoted && { msgSeq: quoted.seq, from: quoted.from }
    return contentOf({
      ...(msgType === undefined ? {} : { msgType }),
      ...(location === undefined ? {} : { location }),
      ...(custom === undefined ? {} : { custom }),
      ...(replyTo === undefined ? {} : { replyTo }),
    })
  }

  #wake(delayMs: number): void {
    this.#cancel?.()
    this.#cancel = this.#options.clock.after(Math.max(0, delayMs), () => this.flush())
  }
}

function kindOf(entry: OutboxEntry | undefined): 'single' | 'group' | 'unknown' {
  if (!entry) return 'unknown'
  if (entry.request.type === 'SINGLE_CHAT') return 'single'
  return entry.request.type.startsWith('GROUP_') ? 'group' : 'unknown'
}
