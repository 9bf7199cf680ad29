/** Events as a device holds them: frames without what belongs to their way here. */
import type { Change } from './wire/change'
import type { PlacedFrame } from './wire/codec'

/** A message as it stands. */
export interface Message {
  kind: 'message'
  body: string
  /** The seq of the last change that is applied; 0 if there was none. */
  rev: number
  edited: boolean
  recalled: boolean
}

export interface ChangeEvent {
  kind: 'change'
  change: Change
  /** What to show if the kind of the change is not known. */
  fallback: string
}

export interface TimelineEvent {
  conversationId: string
  seq: number
  row: string
  from: string
  /** The name that its sender gave to it; none in personal timelines. */
  clientMsgId?: string
  ts: number
  what: Message | ChangeEvent
}

/** A change of one message: a recall, or an edit. */
export interface Amendment {
  targetSeq: number
  /** The seq of the event that says so. */
  seq: number
  /** The text from here on; absent for a recall. */
  body?: string
}

export function eventOf(frame: PlacedFrame): TimelineEvent {
  const event = {
    conversationId: frame.conversationId,
    seq: frame.msgSeq,
    row: frame.serverMsgId,
    from: frame.from,
    ...(frame.clientMsgId === undefined ? {} : { clientMsgId: frame.clientMsgId }),
    ts: frame.ts,
  }
  if (frame.type === 'EVENT') {
    return { ...event, what: { kind: 'change', change: frame.change, fallback: frame.fallback } }
  }
  return {
    ...event,
    what: {
      kind: 'message',
      body: frame.body,
      rev: frame.rev ?? 0,
      edited: frame.edited ?? false,
      recalled: frame.recalled ?? false,
    },
  }
}

export function isMessage(event: TimelineEvent): boolean {
  return event.what.kind === 'message'
}

/** What an event says about one message, if it is about one. An edit made void says nothing. */
export function amendmentOf(seq: number, change: Change): Amendment | undefined {
  if (change.kind === 'recalled') return { targetSeq: change.targetSeq, seq }
  if (change.kind === 'edited' && change.body !== undefined) {
    return { targetSeq: change.targetSeq, seq, body: change.body }
  }
  return undefined
}

/** The event after the amendment; the same object when it is no news to it. */
export function amended(event: TimelineEvent, amendment: Amendment): TimelineEvent {
  const message = event.what
  if (message.kind !== 'message' || amendment.seq <= message.rev) return event
  const what: Message =
    amendment.body === undefined
      ? { ...message, body: '', recalled: true, rev: amendment.seq }
      : { ...message, body: amendment.body, edited: true, rev: amendment.seq }
  return { ...event, what }
}
