/** Events as a device holds them: frames without what belongs to their way here. */
import type { Change } from './wire/change'
import type { PlacedFrame } from './wire/codec'
import type { SingleChatPush } from './wire/protocol'

/** What a message says beside its text; nothing of it is left once it was recalled. */
export interface Content extends Pick<SingleChatPush, 'attachment' | 'location' | 'custom' | 'replyTo' | 'forwardedFrom'> {
  /** Absent for a text. */
  msgType?: Exclude<SingleChatPush['msgType'], 'TEXT'>
}

/** A message as it stands. */
export interface Message extends Content {
  kind: 'message'
  body: string
  /** The seq of the last change that is applied; 0 if there was none. */
  rev: number
  edited: boolean
  recalled: boolean
  /** Whom it names; nobody any more once it was recalled. */
  mentions?: string[]
  mentionAll?: true
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
      ...contentOf(frame),
      ...(frame.type === 'GROUP_CHAT' ? mentionsOf(frame) : {}),
    },
  }
}

/** What a frame says beside a text, in the form in which a device keeps it. */
export function contentOf(frame: Omit<Content, 'msgType'> & { msgType?: SingleChatPush['msgType'] }): Content {
  const { msgType = 'TEXT', attachment, location, custom, replyTo, forwardedFrom } = frame
  return {
    ...(msgType === 'TEXT' ? {} : { msgType }),
    ...(attachment === undefined ? {} : { attachment }),
    ...(location === undefined ? {} : { location }),
    ...(custom === undefined ? {} : { custom }),
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(forwardedFrom === undefined ? {} : { forwardedFrom }),
  }
}

/** Whom a group message names, in the form in which a device keeps it. */
export function mentionsOf(named: {
  mentions?: string[]
  mentionAll?: boolean
}): Pick<Message, 'mentions' | 'mentionAll'> {
  const { mentions, mentionAll } = named
  return {
    ...(mentions === undefined || mentions.length === 0 ? {} : { mentions }),
    ...(mentionAll === true ? { mentionAll: true } : {}),
  }
}

export function isMessage({ what }: TimelineEvent): boolean {
  return what.kind === 'message' || (what.change.kind === 'unknown' && what.change.isMessage === true)
}

/** Whether it is a message that names the user or everybody. */
export function isMention({ what }: TimelineEvent, user: string): boolean {
  if (what.kind !== 'message' || what.recalled) return false
  return what.mentionAll === true || what.mentions?.includes(user) === true
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
  if (amendment.body !== undefined) {
    const what = { ...message, body: amendment.body, edited: true, rev: amendment.seq }
    return { ...event, what }
  }
  const { edited, msgType } = message
  const what = { kind: 'message' as const, body: '', edited, recalled: true, rev: amendment.seq }
  return { ...event, what: msgType === undefined ? what : { ...what, msgType } }
}
