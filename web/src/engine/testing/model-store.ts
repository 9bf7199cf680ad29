/** What the model server holds: conversations with their events, who may read what, and what people are to each other. */
import type { TestClock } from './clock'

export type Role = 'member' | 'admin' | 'owner'
export type Frame = Record<string, any>

export interface Event {
  seq: number
  row: number
  from: string
  clientMsgId?: string
  ts: number
  /** Either a message, or a change. */
  body?: string
  rev?: number
  edited?: boolean
  recalled?: boolean
  mentions?: string[]
  change?: Frame
}

export interface ModelConversation {
  id: string
  kind: 'single' | 'group' | 'personal'
  users: string[]
  title: string
  history: 'joined' | 'all'
  events: Event[]
  roles: Map<string, Role>
  info: Frame
  nicknames: Map<string, string>
  /** Who waits to be let in. */
  waiting: Map<string, { ts: number; message?: string }>
  intervals: Map<string, { from: number; to: number }[]>
  cursors: Map<string, { delivered: number; read: number }>
  /** What users have deleted for themselves. */
  hidden: Map<string, Set<number>>
  changedAt: number
  trimmedBefore: number
}

const LIMITS = {
  frameBytes: 65536, bodyUnits: 4096, bodyBytes: 16384, sendsInFlight: 256, pullEvents: 7,
  groupMembers: 20000, changeMembers: 500, titleUnits: 64, stateMembers: 2, syncConversations: 2,
  ackItems: 3, ackIntervalMs: 1000, focusConversations: 32, headMembers: 0, recallWindowMs: 120000,
  editWindowMs: 172800000, retryWindowMs: 604800000, pingIntervalMs: 30000, idleTimeoutMs: 90000,
  rates: { framesPerSecond: 0, framesBurst: 0, sendsPerSecond: 0, sendsBurst: 0, readsPerSecond: 0, readsBurst: 0 },
}

export abstract class ModelStore {
  epoch = 1
  conversations = new Map<string, ModelConversation>()
  /** What users are to each other: by user, then by the other. */
  readonly contacts = new Map<string, Map<string, Frame>>()
  limits: typeof LIMITS = structuredClone(LIMITS)
  #nextRow = 1
  #nextId = 1
  #changes = 1

  constructor(readonly clock: TestClock) {}

  /** There is an event that those who may see it are told of. */
  protected abstract push(conversation: ModelConversation, seq: number): void

  /** Something about a conversation is another way, which the next sync tells. */
  touch(conversation: ModelConversation): void {
    conversation.changedAt = ++this.#changes
  }

  /** A user deletes messages for himself or herself, on a device that is not played. */
  hide(user: string, conversation: ModelConversation, msgSeqs: number[]): void {
    const hidden = conversation.hidden.get(user) ?? new Set()
    for (const seq of msgSeqs) hidden.add(seq)
    conversation.hidden.set(user, hidden)
    this.touch(conversation)
    this.derive(user, user, { kind: 'messagesHidden', conversationId: conversation.id, msgSeqs })
  }

  /** What a user sees of a conversation. */
  visible(conversation: ModelConversation, user: string): Event[] {
    const intervals = conversation.intervals.get(user) ?? []
    const hidden = conversation.hidden.get(user)
    return conversation.events.filter(
      ({ seq }) =>
        seq >= conversation.trimmedBefore && !hidden?.has(seq) && intervals.some(({ from, to }) => from <= seq && seq <= to),
    )
  }

  headOf(conversation: ModelConversation, user: string): number {
    const last = conversation.intervals.get(user)?.at(-1)
    return Math.min(conversation.events.length, last?.to ?? 0)
  }

  unreadOf(conversation: ModelConversation, user: string): number {
    const { read } = conversation.cursors.get(user)!
    return this.visible(conversation, user).filter(({ seq, body }) => seq > read && body !== undefined).length
  }

  mentionsOf(conversation: ModelConversation, user: string): number {
    const { read } = conversation.cursors.get(user)!
    return this.visible(conversation, user).filter(({ seq, mentions }) => seq > read && mentions?.includes(user)).length
  }

  frameOf(conversation: ModelConversation, event: Event): Frame {
    const { from, clientMsgId, row, seq, ts } = event
    const place = { from, clientMsgId, serverMsgId: String(row), conversationId: conversation.id, msgSeq: seq, ts }
    if (event.change) return { type: 'EVENT', ...place, change: structuredClone(event.change), fallback: 'Something happened.' }
    const { body, rev, edited, recalled, mentions } = event
    const message = { ...place, msgType: 'TEXT', body, rev, edited, recalled }
    return conversation.kind === 'single'
      ? { type: 'SINGLE_CHAT', ...message, to: conversation.users.find((user) => user !== from) }
      : { type: 'GROUP_CHAT', ...message, mentions, groupId: conversation.id }
  }

  single(one: string, other: string): ModelConversation | undefined {
    return [...this.conversations.values()].find(
      ({ kind, users }) => kind === 'single' && users.includes(one) && users.includes(other),
    )
  }

  personal(user: string): ModelConversation | undefined {
    return [...this.conversations.values()].find((known) => known.kind === 'personal' && known.users[0] === user)
  }

  contactsOf(user: string): Map<string, Frame> {
    if (!this.contacts.has(user)) this.contacts.set(user, new Map())
    return this.contacts.get(user)!
  }

  contactOf(user: string, other: string): Frame {
    return this.contactsOf(user).get(other) ?? { user: other }
  }

  found(kind: ModelConversation['kind'], users: string[], title = ''): ModelConversation {
    const conversation: ModelConversation = {
      id: String(this.#nextId++), kind, users, title, history: 'joined', events: [],
      roles: new Map(), info: { joining: 'closed' }, nicknames: new Map(), waiting: new Map(), intervals: new Map(), cursors: new Map(), hidden: new Map(), changedAt: 0, trimmedBefore: 1,
    }
    this.conversations.set(conversation.id, conversation)
    for (const user of users) this.join(conversation, user, 1)
    return conversation
  }

  join(conversation: ModelConversation, user: string, seq: number): void {
    const intervals = conversation.intervals.get(user) ?? []
    intervals.push({ from: seq, to: Infinity })
    conversation.intervals.set(user, intervals)
    conversation.roles.set(user, 'member')
    conversation.waiting.delete(user)
    const cursor = conversation.kind === 'group' ? seq : 0
    const before = conversation.cursors.get(user) ?? { delivered: 0, read: 0 }
    conversation.cursors.set(user, {
      delivered: Math.max(before.delivered, cursor),
      read: Math.max(before.read, cursor),
    })
  }

  part(conversation: ModelConversation, user: string, seq: number): void {
    conversation.roles.delete(user)
    conversation.nicknames.delete(user)
    conversation.intervals.get(user)!.at(-1)!.to = seq
  }

  /** Something that concerns one user alone. */
  derive(user: string, from: string, change: Frame): void {
    const personal = this.personal(user) ?? this.found('personal', [user])
    const { seq } = this.append(personal, from, {}, { change })
    this.push(personal, seq)
  }

  append(conversation: ModelConversation, from: string, frame: Frame, what: Partial<Event>) {
    const seq = conversation.events.length + 1
    conversation.events.push({
      seq, row: this.#nextRow++, from, ts: this.clock.now(),
      ...(frame.clientMsgId === undefined ? {} : { clientMsgId: frame.clientMsgId }), ...what,
    })
    this.touch(conversation)
    const cursor = conversation.cursors.get(from)
    if (what.body !== undefined && cursor) Object.assign(cursor, { delivered: seq, read: seq })
    return { conversation, seq }
  }
}
