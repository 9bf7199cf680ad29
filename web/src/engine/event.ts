/** Events as a device holds them: frames without what belongs to their way here. */
import type { Change } from './wire/change'
import type { PlacedFrame } from './wire/codec'
import type { SingleChatPush } from './wire/protocol'

/** The system itself, which acts for its admins. */
export const SYSTEM = '0'

/** What a message says beside its text; nothing of it is left once it was recalled. */
export interface Content extends Pick<SingleChatPush, 'attachment' | 'location' | 'custom' | 'call' | 'replyTo' | 'forwardedFrom'> {
  /** Absent for a text. */
  msgType?: Exclude<SingleChatPush['msgType'], 'TEXT'>
}

/** A sign, and who has given it, those first who gave it first. */
export interface Reaction {
  emoji: string
  users: string[]
}

/** A message as it stands. */
export interface Message extends Content {
  kind: 'message'
  body: string
  /** The seq of the last change that is applied; 0 if there was none. */
  rev: number
  edited: boolean
  recalled: boolean
  /** What users think of it, in the order in which they have said so. */
  reactions?: Reaction[]
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

/** A change of one message: a recall, an edit, or a reaction. */
export interface Amendment {
  targetSeq: number
  /** The seq of the event that says so. */
  seq: number
  /** The text from here on. */
  body?: string
  /** A reaction that is given, or taken back. */
  reaction?: { emoji: string; user: string; removed: boolean }
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
      ...(frame.reactions === undefined || frame.reactions.length === 0 ? {} : { reactions: frame.reactions }),
      ...(frame.type === 'GROUP_CHAT' ? mentionsOf(frame) : {}),
    },
  }
}

/** What a frame says beside a text, in the form in which a device keeps it. */
export function contentOf(frame: Omit<Content, 'msgType'> & { msgType?: SingleChatPush['msgType'] }): Content {
  const { msgType = 'TEXT', attachment, location, custom, call, replyTo, forwardedFrom } = frame
  return {
    ...(msgType === 'TEXT' ? {} : { msgType }),
    ...(attachment === undefined ? {} : { attachment }),
    ...(location === undefined ? {} : { location }),
    ...(custom === undefined ? {} : { custom }),
    ...(call === undefined ? {} : { call }),
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

/** Whether it counts for unread: the record of a call that was answered does not, both took part in it. */
export function countsForUnread(event: TimelineEvent): boolean {
  return isMessage(event) && !(event.what.kind === 'message' && event.what.call?.outcome === 'answered')
}

/** Whether it is a message that names the user or everybody. */
export function isMention({ what }: TimelineEvent, user: string): boolean {
  if (what.kind !== 'message' || what.recalled) return false
  return what.mentionAll === true || what.mentions?.includes(user) === true
}

/** What an event says about one message, if it is about one. An edit made void says nothing. */
export function amendmentOf(seq: number, from: string, change: Change): Amendment | undefined {
  if (change.kind === 'recalled') return { targetSeq: change.targetSeq, seq }
  if (change.kind === 'edited' && change.body !== undefined) {
    return { targetSeq: change.targetSeq, seq, body: change.body }
  }
  if (change.kind === 'reacted') {
    const { targetSeq, emoji, removed = false } = change
    return { targetSeq, seq, reaction: { emoji, user: from, removed } }
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
  if (amendment.reaction !== undefined) {
    const { reactions: before = [], ...rest } = message
    const reactions = reacted(before, amendment.reaction)
    const what = { ...rest, rev: amendment.seq, ...(reactions.length === 0 ? {} : { reactions }) }
    return { ...event, what }
  }
  const { edited, msgType } = message
  const what = { kind: 'message' as const, body: '', edited, recalled: true, rev: amendment.seq }
  return { ...event, what: msgType === undefined ? what : { ...what, msgType } }
}

function reacted(before: Reaction[], { emoji, user, removed }: NonNullable<Amendment['reaction']>): Reaction[] {
  const users = (before.find((one) => one.emoji === emoji)?.users ?? []).filter((other) => other !== user)
  if (!removed) users.push(user)
  if (!before.some((one) => one.emoji === emoji)) return users.length === 0 ? before : [...before, { emoji, users }]
  return before.map((one) => (one.emoji === emoji ? { emoji, users } : one)).filter((one) => one.users.length > 0)
}
