/**
 * A server in memory that does what docs/protocol.md says, for tests of the engine. It shares
 * no code with the engine, checks every frame against the schema, and misbehaves on request.
 */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { TestClock } from './clock'
import type { Line, LineServer } from './network'

type Role = 'member' | 'admin' | 'owner'
type Frame = Record<string, any>

interface Event {
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
  changedAt: number
  trimmedBefore: number
}

interface Session {
  line: Line
  user: string
  refused: Set<string>
}

const schema = JSON.parse(
  readFileSync(new URL('../../../../docs/protocol.schema.json', import.meta.url), 'utf8'),
) as { $defs: Record<string, object> }
let isClientFrame: ValidateFunction | undefined
function validator(): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, formats: { uint64: true, uint32: true, uint16: true, uint8: true } })
  isClientFrame ??= ajv.compile({ $defs: schema.$defs, $ref: '#/$defs/ClientFrame' })
  return isClientFrame
}

const LIMITS = {
  frameBytes: 65536, bodyUnits: 4096, bodyBytes: 16384, sendsInFlight: 256, pullEvents: 7,
  groupMembers: 20000, changeMembers: 500, titleUnits: 64, stateMembers: 2, syncConversations: 2,
  ackItems: 3, ackIntervalMs: 1000, focusConversations: 32, headMembers: 0, recallWindowMs: 120000,
  editWindowMs: 172800000, retryWindowMs: 604800000, pingIntervalMs: 30000, idleTimeoutMs: 90000,
  rates: { framesPerSecond: 0, framesBurst: 0, sendsPerSecond: 0, sendsBurst: 0, readsPerSecond: 0, readsBurst: 0 },
}

export class ModelServer implements LineServer {
  epoch = 1
  conversations = new Map<string, ModelConversation>()
  /** What users are to each other: by user, then by the other. */
  readonly contacts = new Map<string, Map<string, Frame>>()
  limits: typeof LIMITS = structuredClone(LIMITS)
  /** The next sends are refused with this. */
  nextRefusals: ('server_busy' | 'timeout')[] = []
  /** Of so many pushes the next are not made. */
  dropPushes = 0
  duplicatePushes = 0
  /** Users whose tokens are refused. */
  readonly revoked = new Set<string>()
  /** Names of messages that a restore has taken away. */
  readonly takenAway = new Set<string>()
  pulls = 0
  readonly #sessions = new Map<Line, Session>()
  #names = new Map<string, { conversation: string; seq: number }>()
  #nextRow = 1
  #nextId = 1
  #changes = 1

  constructor(private readonly clock: TestClock) {}

  received(line: Line, text: string): void {
    const frame = JSON.parse(text) as Frame
    const validate = validator()
    if (!validate(frame)) throw new Error(`not a frame: ${text} ${JSON.stringify(validate.errors)}`)
    const session = this.#sessions.get(line)
    if (!session) {
      this.#authenticate(line, frame)
      return
    }
    this.#handle(session, frame)
  }

  closed(line: Line): void {
    this.#sessions.delete(line)
  }

  /** Comes back from a backup that lacks the last events of each conversation. */
  restore(missing: number): void {
    this.epoch += 1
    for (const line of [...this.#sessions.keys()]) line.cut(4503, '{"reason":"drain","retryAfterMs":10}')
    for (const [id, conversation] of this.conversations) {
      // Groups keep their memberships: what is taken away are messages.
      let left = missing
      while (left > 0 && conversation.events.at(-1)?.body !== undefined && conversation.events.length > 1) {
        const event = conversation.events.pop()!
        this.takenAway.add(event.clientMsgId!)
        this.#names.delete(`${id}|${event.from}|${event.clientMsgId}`)
        left -= 1
      }
      const head = conversation.events.length
      conversation.trimmedBefore = Math.min(conversation.trimmedBefore, Math.max(1, head))
      for (const cursor of conversation.cursors.values()) {
        cursor.read = Math.min(cursor.read, head)
        cursor.delivered = Math.min(cursor.delivered, head)
      }
    }
  }

  /** What a user sees of a conversation. */
  visible(conversation: ModelConversation, user: string): Event[] {
    const intervals = conversation.intervals.get(user) ?? []
    return conversation.events.filter(
      ({ seq }) =>
        seq >= conversation.trimmedBefore && intervals.some(({ from, to }) => from <= seq && seq <= to),
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

  #authenticate(line: Line, frame: Frame): void {
    const user = String(frame.token).replace('token of ', '')
    if (this.revoked.has(user)) {
      this.#say(line, { type: 'AUTH_FAIL', reason: 'login_revoked', message: 'over' })
      return
    }
    this.#sessions.set(line, { line, user, refused: new Set() })
    this.#say(line, {
      type: 'AUTH_OK', v: 1, from: user, sessionId: '1', epoch: String(this.epoch),
      ts: this.clock.now() + 5_000, caps: [], limits: this.limits,
    })
  }

  #handle(session: Session, frame: Frame): void {
    const answer = (body: Frame) => this.#say(session.line, frame.id === undefined ? body : { id: frame.id, ...body })
    switch (frame.type) {
      case 'PING':
        return answer({ type: 'PONG', ts: this.clock.now() + 5_000 })
      case 'SYNC':
        return answer(this.#sync(session.user, frame))
      case 'PULL':
        return answer(this.#pull(session.user, frame))
      case 'CONVERSATION':
        return answer(this.#state(session.user, frame))
      case 'GROUP_REQUESTS':
        return answer(this.#requests(session.user, frame))
      case 'CONTACTS':
        return answer(this.#contactPage(session.user, frame))
      case 'CONTACT':
        return this.#contact(session, frame)
      case 'ACK':
        return this.#receipt(session, frame)
      case 'CALL_OFFER':
        return answer({ type: 'CALL_STATE', callId: frame.callId, state: 'ringing' })
      case 'CALL_ANSWER':
        return answer({ type: 'CALL_STATE', callId: frame.callId, state: 'answered' })
      case 'CALL_HANGUP':
        return answer({ type: 'CALL_STATE', callId: frame.callId, state: 'ended', reason: 'cancelled' })
      default:
        return this.#send(session, frame)
    }
  }

  #send(session: Session, frame: Frame): void {
    const { user, line } = session
    const lane = String(frame.to ?? frame.groupId ?? frame.conversationId ?? frame.clientMsgId)
    const refuse = (reason: string, more: Frame = {}) =>
      this.#say(line, { type: 'ERROR', reason, message: reason, clientMsgId: frame.clientMsgId, ...more })
    const existing = this.#existing(user, frame)
    if (existing) {
      session.refused.delete(`${lane} ${frame.clientMsgId}`)
      return this.#ack(line, frame, existing.conversation, existing.seq, true)
    }
    const first = [...session.refused].find((refused) => refused.startsWith(`${lane} `))
    if (first !== undefined && first !== `${lane} ${frame.clientMsgId}`) return refuse('after_refused')
    const fault = this.nextRefusals.shift()
    if (fault === 'server_busy') {
      session.refused.add(`${lane} ${frame.clientMsgId}`)
      return refuse('server_busy', { retryAfterMs: 200 })
    }
    session.refused.delete(`${lane} ${frame.clientMsgId}`)
    const outcome = this.#apply(user, frame)
    if (typeof outcome === 'string') return refuse(outcome)
    const { conversation, seq } = outcome
    this.#names.set(`${conversation.id}|${user}|${frame.clientMsgId}`, { conversation: conversation.id, seq })
    if (frame.type === 'GROUP_JOIN') {
      this.#names.set(`join:${frame.code}|${user}|${frame.clientMsgId}`, { conversation: conversation.id, seq })
    }
    if (frame.type === 'GROUP_CREATE') {
      this.#names.set(`|${user}|${frame.clientMsgId}`, { conversation: conversation.id, seq })
    }
    if (fault === 'timeout') refuse('timeout', { outcome: 'unknown' })
    else this.#ack(line, frame, conversation.id, seq, false)
    this.#push(conversation, seq, line)
  }

  #existing(user: string, frame: Frame) {
    const id = frame.type === 'SINGLE_CHAT' ? this.#single(user, frame.to)?.id : (frame.groupId ?? frame.conversationId ?? '')
    if (frame.type === 'GROUP_JOIN') return this.#names.get(`join:${frame.code}|${user}|${frame.clientMsgId}`)
    return id === undefined ? undefined : this.#names.get(`${id}|${user}|${frame.clientMsgId}`)
  }

  #single(one: string, other: string): ModelConversation | undefined {
    return [...this.conversations.values()].find(
      ({ kind, users }) => kind === 'single' && users.includes(one) && users.includes(other),
    )
  }

  #ack(line: Line, frame: Frame, conversationId: string, seq: number, duplicate: boolean): void {
    const event = this.conversations.get(conversationId)!.events[seq - 1]!
    if (event.change?.kind === 'joinRequested') return this.#done(line, frame, duplicate)
    this.#say(line, {
      type: 'ACK', ackType: 'saved', clientMsgId: frame.clientMsgId, serverMsgId: String(event.row),
      conversationId, msgSeq: seq, durability: 'fsync', ts: event.ts, ...(duplicate ? { duplicate } : {}),
    })
  }

  #done(line: Line, frame: Frame, duplicate: boolean): void {
    const { clientMsgId } = frame
    this.#say(line, { type: 'ACK', ackType: 'done', clientMsgId, ts: this.clock.now(), ...(duplicate ? { duplicate } : {}) })
  }

  #contact(session: Session, frame: Frame): void {
    const { user, line } = session
    const { clientMsgId, user: other, action } = frame
    const name = `contact:${other}|${user}|${clientMsgId}`
    if (this.#names.has(name)) return this.#done(line, frame, true)
    const refuse = (reason: string, more: Frame = {}) =>
      this.#say(line, { type: 'ERROR', reason, message: reason, clientMsgId, ...more })
    const mine = { ...this.#contactOf(user, other) }
    const theirs = { ...this.#contactOf(other, user) }
    const isWaiting = (direction: string) => mine.application?.direction === direction
    const befriend = () => {
      for (const contact of [mine, theirs]) {
        contact.friendSinceTs = this.clock.now()
        delete contact.application
      }
    }
    if (action === 'apply') {
      if (mine.friendSinceTs !== undefined || isWaiting('outgoing')) return refuse('nothing_to_change')
      const ts = this.clock.now()
      const application = { message: frame.message, ts, expiresTs: ts + 604_800_000 }
      if (isWaiting('incoming')) befriend()
      else {
        mine.application = { direction: 'outgoing', ...application }
        theirs.application = { direction: 'incoming', ...application }
      }
    } else if (action === 'accept' || action === 'reject' || action === 'withdraw') {
      if (!isWaiting(action === 'withdraw' ? 'outgoing' : 'incoming')) return refuse('application_not_found')
      if (action === 'accept') befriend()
      delete mine.application
      delete theirs.application
    } else if (action === 'remove' || action === 'remark') {
      if (mine.friendSinceTs === undefined) return refuse('not_friends')
      if (action === 'remark') mine.remark = frame.remark
      else {
        for (const contact of [mine, theirs]) {
          delete contact.friendSinceTs
          delete contact.remark
        }
      }
    } else {
      if ((mine.blocked === true) === (action === 'block')) return refuse('nothing_to_change')
      if (action === 'block') mine.blocked = true
      else delete mine.blocked
    }
    this.#names.set(name, { conversation: '', seq: 0 })
    const isUnknown = this.nextRefusals[0] === 'timeout' && this.nextRefusals.shift() !== undefined
    if (isUnknown) refuse('timeout', { outcome: 'unknown' })
    else this.#done(line, frame, false)
    for (const [owner, contact] of [[user, mine], [other, theirs]] as const) {
      if (JSON.stringify(contact) === JSON.stringify(this.#contactOf(owner, contact.user))) continue
      this.#contactsOf(owner).set(contact.user, contact)
      this.#derive(owner, user, { kind: 'contactChanged', contact, action })
    }
  }

  #contactsOf(user: string): Map<string, Frame> {
    if (!this.contacts.has(user)) this.contacts.set(user, new Map())
    return this.contacts.get(user)!
  }

  #contactOf(user: string, other: string): Frame {
    return this.#contactsOf(user).get(other) ?? { user: other }
  }

  #contactPage(user: string, { list, usersAfter }: Frame): Frame {
    const isIn = ({ friendSinceTs, blocked, application }: Frame) =>
      list === 'friends' ? friendSinceTs !== undefined : list === 'blocked' ? blocked === true : application?.direction === list
    const all = [...this.#contactsOf(user).values()].filter(isIn).filter((contact) => Number(contact.user) > Number(usersAfter ?? 0))
    all.sort((one, other) => Number(one.user) - Number(other.user))
    const personal = this.#personal(user)
    return {
      type: 'CONTACT_STATE', list, conversationId: personal?.id, asOfSeq: personal?.events.length ?? 0,
      contacts: structuredClone(all.slice(0, 1)), more: all.length > 1,
    }
  }

  #requests(user: string, { groupId, usersAfter }: Frame): Frame {
    const conversation = this.conversations.get(groupId)
    const role = conversation?.roles.get(user)
    if (!conversation || role === undefined || role === 'member') {
      return { type: 'ERROR', reason: 'not_allowed', message: 'not for you' }
    }
    const all = [...conversation.waiting].filter(([waiting]) => Number(waiting) > Number(usersAfter ?? 0))
    all.sort(([one], [other]) => Number(one) - Number(other))
    return {
      type: 'GROUP_REQUEST_STATE', groupId, asOfSeq: conversation.events.length,
      requests: all.slice(0, 1).map(([waiting, request]) => ({ user: waiting, ...request })), more: all.length > 1,
    }
  }

  #found(kind: ModelConversation['kind'], users: string[], title = ''): ModelConversation {
    const conversation: ModelConversation = {
      id: String(this.#nextId++), kind, users, title, history: 'joined', events: [],
      roles: new Map(), info: { joining: 'closed' }, nicknames: new Map(), waiting: new Map(), intervals: new Map(), cursors: new Map(), changedAt: 0, trimmedBefore: 1,
    }
    this.conversations.set(conversation.id, conversation)
    for (const user of users) this.#join(conversation, user, 1)
    return conversation
  }

  #join(conversation: ModelConversation, user: string, seq: number): void {
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

  #part(conversation: ModelConversation, user: string, seq: number): void {
    conversation.roles.delete(user)
    conversation.nicknames.delete(user)
    conversation.intervals.get(user)!.at(-1)!.to = seq
  }

  #apply(user: string, frame: Frame): { conversation: ModelConversation; seq: number } | string {
    if (frame.type === 'SINGLE_CHAT') {
      const conversation = this.#single(user, frame.to) ?? this.#found('single', [user, frame.to])
      return this.#append(conversation, user, frame, { body: frame.body })
    }
    if (frame.type === 'GROUP_CREATE') {
      const members: string[] = frame.members.filter((member: string) => member !== user)
      const conversation = this.#found('group', [user, ...members], frame.title)
      conversation.roles.set(user, 'owner')
      for (const member of [user, ...members]) this.#derive(member, user, { kind: 'conversationAdded', conversationId: conversation.id })
      const change = { kind: 'groupCreated', title: frame.title, members, history: 'joined' }
      return this.#append(conversation, user, frame, { change })
    }
    if (frame.type === 'GROUP_JOIN') return this.#joinBy(user, frame)
    const conversation = this.conversations.get(frame.groupId ?? frame.conversationId)
    const role = conversation?.roles.get(user)
    if (!conversation || role === undefined) return 'conversation_not_found'
    const seq = conversation.events.length + 1
    switch (frame.type) {
      case 'GROUP_CHAT':
        return this.#append(conversation, user, frame, { body: frame.body, mentions: frame.mentions })
      case 'MESSAGE_REVOKE':
      case 'MESSAGE_EDIT': {
        const target = this.visible(conversation, user).find((event) => event.seq === frame.msgSeq)
        if (target?.body === undefined) return 'message_not_found'
        if (target.recalled) return 'nothing_to_change'
        if (target.from !== user) return 'not_allowed'
        const targetSeq = target.seq
        for (const { change } of conversation.events) {
          if (change?.kind === 'edited' && change.targetSeq === targetSeq) delete change.body
        }
        target.rev = seq
        const recalled = frame.type === 'MESSAGE_REVOKE'
        target.body = recalled ? '' : frame.body
        if (recalled) target.recalled = true
        if (recalled) delete target.mentions
        else target.edited = true
        const change = recalled ? { kind: 'recalled', targetSeq } : { kind: 'edited', targetSeq, body: frame.body }
        return this.#append(conversation, user, frame, { change })
      }
      case 'GROUP_ADD': {
        const members = frame.members.filter((member: string) => !conversation.roles.has(member))
        if (role === 'member') return 'not_allowed'
        if (members.length === 0) return 'nothing_to_change'
        for (const member of members) {
          this.#join(conversation, member, seq)
          this.#derive(member, user, { kind: 'conversationAdded', conversationId: conversation.id })
        }
        return this.#append(conversation, user, frame, { change: { kind: 'membersAdded', members } })
      }
      case 'GROUP_REMOVE': {
        const members = frame.members.filter((member: string) => conversation.roles.has(member) && member !== user)
        if (role !== 'owner') return 'not_allowed'
        if (members.length === 0) return 'nothing_to_change'
        for (const member of members) this.#part(conversation, member, seq)
        return this.#append(conversation, user, frame, { change: { kind: 'membersRemoved', members } })
      }
      case 'GROUP_LEAVE':
        if (role === 'owner') return 'not_allowed'
        this.#part(conversation, user, seq)
        return this.#append(conversation, user, frame, { change: { kind: 'memberLeft' } })
      case 'GROUP_ROLE':
        if (role !== 'owner' || frame.user === user) return 'not_allowed'
        if (!conversation.roles.has(frame.user)) return 'user_not_found'
        conversation.roles.set(frame.user, frame.role)
        if (frame.role === 'owner') conversation.roles.set(user, 'admin')
        return this.#append(conversation, user, frame, { change: { kind: 'roleChanged', user: frame.user, role: frame.role } })
      case 'GROUP_TITLE':
        conversation.title = frame.title
        return this.#append(conversation, user, frame, { change: { kind: 'titleChanged', title: frame.title } })
      case 'GROUP_SETTINGS': {
        if (role === 'member') return 'not_allowed'
        const { joining, announcement, muted } = frame
        const info: Frame = { ...conversation.info, joining, announcement, ...(muted ? { muted } : {}) }
        if (joining === 'closed') delete info.code
        else info.code = `CODE${conversation.id}`
        conversation.info = info
        return this.#append(conversation, user, frame, { change: { kind: 'groupChanged', group: info } })
      }
      case 'GROUP_MEMBER': {
        if (!conversation.roles.has(frame.user)) return 'user_not_found'
        if (role !== 'owner' && frame.user !== user) return 'not_allowed'
        conversation.nicknames.set(frame.user, frame.nickname)
        const { user: member, nickname } = frame
        return this.#append(conversation, user, frame, { change: { kind: 'memberChanged', user: member, nickname } })
      }
      case 'GROUP_ANSWER': {
        if (role === 'member') return 'not_allowed'
        if (!conversation.waiting.delete(frame.user)) return 'user_not_found'
        const conversationId = conversation.id
        this.#derive(frame.user, user, { kind: frame.accept ? 'conversationAdded' : 'conversationRefused', conversationId })
        if (!frame.accept) return this.#append(conversation, user, frame, { change: { kind: 'joinRefused', user: frame.user } })
        this.#join(conversation, frame.user, seq)
        return this.#append(conversation, user, frame, { change: { kind: 'membersAdded', members: [frame.user] } })
      }
      default:
        return 'unknown_type'
    }
  }

  #joinBy(user: string, frame: Frame): { conversation: ModelConversation; seq: number } | string {
    const conversation = [...this.conversations.values()].find(({ info }) => info.code === frame.code)
    if (!conversation) return 'conversation_not_found'
    if (conversation.roles.has(user) || conversation.waiting.has(user)) return 'nothing_to_change'
    if (conversation.info.joining === 'approval') {
      const { message } = frame
      conversation.waiting.set(user, { ts: this.clock.now(), ...(message === undefined ? {} : { message }) })
      return this.#append(conversation, user, frame, { change: { kind: 'joinRequested' } })
    }
    this.#join(conversation, user, conversation.events.length + 1)
    this.#derive(user, user, { kind: 'conversationAdded', conversationId: conversation.id })
    return this.#append(conversation, user, frame, { change: { kind: 'membersAdded', members: [user] } })
  }

  #personal(user: string): ModelConversation | undefined {
    return [...this.conversations.values()].find((known) => known.kind === 'personal' && known.users[0] === user)
  }

  /** Something that concerns one user alone. */
  #derive(user: string, from: string, change: Frame): void {
    const personal = this.#personal(user) ?? this.#found('personal', [user])
    const { seq } = this.#append(personal, from, {}, { change })
    this.#push(personal, seq, undefined)
  }

  #append(conversation: ModelConversation, from: string, frame: Frame, what: Partial<Event>) {
    const seq = conversation.events.length + 1
    conversation.events.push({
      seq, row: this.#nextRow++, from, ts: this.clock.now(),
      ...(frame.clientMsgId === undefined ? {} : { clientMsgId: frame.clientMsgId }), ...what,
    })
    conversation.changedAt = ++this.#changes
    const cursor = conversation.cursors.get(from)
    if (what.body !== undefined && cursor) Object.assign(cursor, { delivered: seq, read: seq })
    return { conversation, seq }
  }

  #push({ ...conversation }: ModelConversation, seq: number, by: Line | undefined): void {
    const event = conversation.events[seq - 1]!
    for (const { line, user } of this.#sessions.values()) {
      if (line === by || !this.visible(conversation, user).includes(event)) continue
      if (this.dropPushes > 0) {
        this.dropPushes -= 1
        continue
      }
      this.#say(line, this.frameOf(conversation, event))
      if (this.duplicatePushes > 0) {
        this.duplicatePushes -= 1
        this.#say(line, { ...this.frameOf(conversation, event), redelivered: true })
      }
    }
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

  #receipt(session: Session, frame: Frame): void {
    for (const { conversationId, msgSeq } of frame.items as { conversationId: string; msgSeq: number }[]) {
      const conversation = this.conversations.get(conversationId)
      const cursor = conversation?.cursors.get(session.user)
      if (!conversation || !cursor) throw new Error('a receipt for a conversation of somebody else')
      if (msgSeq > this.headOf(conversation, session.user)) throw new Error('a receipt beyond the head')
      const kind = frame.ackType as 'delivered' | 'read'
      if (cursor[kind] >= msgSeq) continue
      cursor[kind] = msgSeq
      cursor.delivered = Math.max(cursor.delivered, cursor.read)
      conversation.changedAt = ++this.#changes
      const relay = { type: 'ACK', ackType: kind, from: session.user, conversationId, msgSeq, ts: this.clock.now() }
      for (const { line, user } of this.#sessions.values()) {
        const own = user === session.user && kind === 'read' && line !== session.line
        const peers = user !== session.user && conversation.kind === 'single' && conversation.users.includes(user)
        if (own || peers) this.#say(line, relay)
      }
    }
  }

  #sync(user: string, frame: Frame): Frame {
    const [epoch, since] = String(frame.token ?? `${this.epoch}:0`).split(':').map(Number)
    const resync = epoch !== this.epoch
    const after = resync ? 0 : since!
    const changed = [...this.conversations.values()]
      .filter((conversation) => conversation.intervals.has(user) && conversation.changedAt > after)
      .sort((one, other) => one.changedAt - other.changedAt)
    const page = changed.slice(0, 2)
    return {
      type: 'SYNC_STATE', epoch: String(this.epoch), ...(resync ? { resync } : {}),
      conversations: page.map((conversation) => this.#syncOf(conversation, user)),
      token: `${this.epoch}:${page.at(-1)?.changedAt ?? after}`, more: changed.length > page.length,
    }
  }

  #syncOf(conversation: ModelConversation, user: string): Frame {
    const head = this.headOf(conversation, user)
    const { read, delivered } = conversation.cursors.get(user)!
    const peer = conversation.users.find((other) => other !== user)
    const peerCursors = peer === undefined ? undefined : conversation.cursors.get(peer)
    const member = conversation.roles.has(user)
    return {
      conversationId: conversation.id, kind: conversation.kind,
      ...(conversation.kind === 'single' ? { peer, peerReadSeq: peerCursors?.read, peerDeliveredSeq: peerCursors?.delivered } : {}),
      ...(conversation.kind === 'group' && member ? { title: conversation.title, memberCount: conversation.roles.size } : {}),
      ...(member ? {} : { left: true }),
      headSeq: head, headMsgNo: 0, readSeq: read, deliveredSeq: delivered,
      unread: this.unreadOf(conversation, user), unreadMentions: this.mentionsOf(conversation, user), ts: conversation.events[head - 1]?.ts ?? 0,
    }
  }

  #pull(user: string, frame: Frame): Frame {
    this.pulls += 1
    const conversation = this.conversations.get(frame.conversationId)
    if (!conversation?.intervals.has(user)) {
      return { type: 'ERROR', reason: 'conversation_not_found', message: 'not there' }
    }
    const head = this.headOf(conversation, user)
    const { trimmedBefore } = conversation
    const limit = Math.min(frame.limit ?? 50, this.limits.pullEvents)
    const visible = this.visible(conversation, user).filter(({ seq }) => seq <= head)
    const base = { type: 'EVENTS', conversationId: conversation.id, headSeq: head, trimmedBefore }
    const encode = (events: Event[]) => events.map((event) => this.frameOf(conversation, event))
    if (frame.beforeSeq !== undefined) {
      const toSeq = Math.min(frame.beforeSeq - 1, head)
      const before = visible.filter(({ seq }) => seq <= toSeq)
      const events = before.slice(-limit)
      const hasMore = before.length > events.length
      return { ...base, fromSeq: hasMore ? events[0]!.seq : trimmedBefore, toSeq, hasMore, events: encode(events) }
    }
    const fromSeq = Math.max(trimmedBefore, (frame.afterSeq ?? 0) + 1)
    const after = visible.filter(({ seq }) => seq >= fromSeq)
    const events = after.slice(0, limit)
    const hasMore = after.length > events.length
    const toSeq = hasMore ? events.at(-1)!.seq : Math.max(head, fromSeq - 1)
    return { ...base, fromSeq, toSeq, hasMore, events: encode(events) }
  }

  #state(user: string, frame: Frame): Frame {
    const conversation = this.conversations.get(frame.conversationId)
    if (!conversation?.roles.has(user)) {
      return { type: 'ERROR', reason: 'conversation_not_found', message: 'not there' }
    }
    const after = BigInt(frame.membersAfter ?? 0)
    const all = [...conversation.roles].filter(([member]) => BigInt(member) > after)
    all.sort(([one], [other]) => (BigInt(one) < BigInt(other) ? -1 : 1))
    const members = all.slice(0, 2).map(([member, role]) => ({ user: member, role, nickname: conversation.nicknames.get(member) }))
    return {
      type: 'CONVERSATION_STATE', conversationId: conversation.id, kind: conversation.kind,
      asOfSeq: conversation.events.length, trimmedBefore: conversation.trimmedBefore, title: conversation.title,
      history: conversation.history, group: conversation.info, memberCount: conversation.roles.size, members, more: all.length > 2,
    }
  }

  #say(line: Line, frame: Frame): void {
    if (line.isOpen) line.toClient.push(JSON.stringify(frame))
  }
}
