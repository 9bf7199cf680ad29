/**
 * What happens on one authenticated connection: frames find their way to catching up,
 * sending and receipts. It has no life after its connection.
 */
import type { CallFrame, Calls } from './call/calls'
import { Catchup } from './catchup'
import type { Device } from './device'
import { eventOf } from './event'
import { isOfOneself } from './contacts'
import { isOfGroups } from './group'
import type { Link } from './link'
import { Moment } from './moment'
import { Notices } from './notices'
import type { Clock, Log } from './ports'
import { Receipts } from './receipts'
import { Sender } from './sender'
import type { ConversationKind } from './storage/records'
import { isPlaced, type AnyError, type PlacedFrame, type ReceiptFrame, type ServerFrame } from './wire/codec'
import type { Patch } from './view'
import type { AuthOk } from './wire/protocol'

/** Pauses that are not asked for in numbers, in milliseconds. */
const PAUSE_MS = 1_000

export interface SessionOptions {
  device: Device
  link: Link
  clock: Clock
  log: Log
  hello: AuthOk
  show: (patch: Patch) => void
  calls: Calls
  onEpoch: (epoch: string) => void
  onCaughtUp: () => void
  /** The token ends soon. */
  onExpiring: () => void
}

export class Session {
  readonly #options: SessionOptions
  readonly #catchup: Catchup
  readonly #receipts: Receipts
  readonly sender: Sender
  readonly moment: Moment
  readonly notices: Notices

  constructor(options: SessionOptions) {
    this.#options = options
    const { device, link, clock, log, hello } = options
    const { limits } = hello
    this.#receipts = new Receipts({ device, link, clock, limits })
    const { onEpoch, onCaughtUp } = options
    this.#catchup = new Catchup({ device, link, clock, log, limits, onEpoch, onCaughtUp })
    this.sender = new Sender({
      device,
      link,
      clock,
      limits,
      look: (ids) => this.#catchup.look(ids),
      ownWord: (id, seq) => this.#receipts.ownWord(device.timeline(id), seq),
    })
    this.notices = new Notices(options.show)
    this.moment = new Moment({ device, link, clock, show: options.show })
    device.onStep = ({ touched, miscounted }) => {
      this.#catchup.look(touched)
      if (miscounted) this.#catchup.sync()
      this.moment.look()
    }
    device.onDurable = (records) => {
      this.#receipts.onDurable(records)
      this.sender.flush()
    }
  }

  start(): void {
    this.#options.calls.attach(this.#options.link)
    this.#catchup.start()
    this.sender.flush()
    this.focus([...this.#options.device.open])
    this.moment.look()
  }

  stop(): void {
    const { device } = this.#options
    device.onStep = () => {}
    device.onDurable = () => {}
    this.#options.calls.detach()
    this.#catchup.stop()
    this.#receipts.stop()
    this.sender.stop()
    this.moment.stop()
  }

  /** The user looks at these. */
  focus(conversationIds: string[]): void {
    const { device, link, hello } = this.#options
    this.#catchup.look(conversationIds)
    const large = conversationIds.filter((id) => {
      const count = device.timelines.get(id)?.record.memberCount ?? 0
      return hello.limits.headMembers > 0 && count >= hello.limits.headMembers
    })
    if (large.length === 0 || !hello.caps.includes('head')) return
    link.request({ type: 'FOCUS', conversationIds: large }, (answer) => {
      if (answer.type !== 'FOCUSED') return
      for (const { conversationId, headSeq } of answer.heads) this.#hear(conversationId, headSeq)
    })
  }

  /** The user no longer looks at this one. */
  blur(conversationId: string): void {
    const { link, hello } = this.#options
    if (!hello.caps.includes('head')) return
    link.request({ type: 'FOCUS', conversationId, on: false }, () => {})
  }

  older(conversationId: string): void {
    const timeline = this.#options.device.timelines.get(conversationId)
    if (timeline) this.#catchup.older(timeline)
  }

  /** A frame that answers no question. */
  receive(frame: ServerFrame): void {
    if (isPlaced(frame)) this.#place(frame)
    else if (frame.type === 'ACK') this.#ack(frame)
    else if (frame.type === 'GAP') this.#hear(frame.conversationId, frame.headSeq)
    else if (frame.type === 'HEAD') this.#hearHead(frame.conversationId, frame.headSeq)
    else if (frame.type === 'TYPING' || frame.type === 'PRESENCE' || frame.type === 'PRESENCE_STATE') this.moment.receive(frame)
    else if (isOfCall(frame)) this.#options.calls.receive(frame)
    else if (frame.type === 'NOTICE' || frame.type === 'NOTICE_WITHDRAWN') this.notices.receive(frame)
    else if (frame.type === 'LIMITS') this.#limit(frame.rates)
    else if (frame.type === 'ERROR') this.#error(frame)
    else if (frame.type === 'AUTH_EXPIRING') this.#options.onExpiring()
  }

  /** An admin has changed how fast a session may send. */
  #limit(rates: AuthOk['limits']['rates']): void {
    const { hello, show } = this.#options
    hello.limits.rates = rates
    show({ limits: { ...hello.limits } })
  }

  #place(frame: PlacedFrame): void {
    const { device } = this.#options
    const isNew = !device.timelines.has(frame.conversationId)
    const event = eventOf(frame)
    if (event.what.kind === 'message') this.moment.spoke(event.conversationId, event.from)
    device.step((step) => {
      const timeline = device.timeline(frame.conversationId, kindOf(frame))
      if (frame.type === 'SINGLE_CHAT') {
        timeline.record.peer ??= frame.from === device.userId ? frame.to : frame.from
      }
      timeline.place(step, event)
    })
    // Its title, kind and cursors are what a push does not say.
    const tellsAll = frame.type === 'SINGLE_CHAT' && frame.msgSeq === 1
    const added =
      frame.type === 'EVENT' &&
      frame.change.kind === 'conversationAdded' &&
      device.timelines.get(frame.change.conversationId)?.record.title === undefined
    if ((isNew && !tellsAll) || added) this.#catchup.sync()
  }

  #ack(frame: Extract<ServerFrame, { type: 'ACK' }>): void {
    if (frame.ackType === 'saved') this.sender.saved(frame)
    else if (frame.ackType === 'done') this.sender.done(frame)
    else this.#receipt(frame)
  }

  #receipt({ conversationId, from, ackType, msgSeq }: ReceiptFrame): void {
    const timeline = this.#options.device.timelines.get(conversationId)
    if (!timeline) return
    this.#options.device.step((step) => timeline.moveCursor(step, from, ackType, msgSeq))
  }

  #hear(conversationId: string, headSeq: number): void {
    const { device } = this.#options
    const isNew = !device.timelines.has(conversationId)
    device.step((step) => device.timeline(conversationId).hear(step, headSeq))
    if (isNew) this.#catchup.sync()
  }

  #hearHead(conversationId: string, headSeq: number): void {
    const { device } = this.#options
    const open = device.open.has(conversationId)
    device.step((step) => device.timeline(conversationId, 'group').hear(step, headSeq, open))
  }

  #error(error: AnyError): void {
    if (error.clientMsgId !== undefined) {
      this.sender.refused(error)
    } else if (error.callId !== undefined) {
      this.#options.calls.refused(error)
    } else if (error.reason === 'too_many_requests') {
      this.sender.pause(error.retryAfterMs ?? PAUSE_MS)
    } else {
      this.#options.log(`the server refused something: ${error.reason}`)
    }
  }
}

function isOfCall(frame: ServerFrame): frame is CallFrame {
  return frame.type === 'CALL_OFFER' || frame.type === 'CALL_ANSWER' || frame.type === 'CALL_ICE' || frame.type === 'CALL_STATE'
}

/** What a push says about the kind of its conversation. */
function kindOf(frame: PlacedFrame): ConversationKind {
  if (frame.type === 'SINGLE_CHAT') return 'single'
  if (frame.type === 'GROUP_CHAT' || isOfGroups(frame.change)) return 'group'
  return isOfOneself(frame.change) ? 'personal' : 'unknown'
}
