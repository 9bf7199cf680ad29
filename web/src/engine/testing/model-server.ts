/**
 * A server in memory that does what docs/protocol.md says, for tests of the engine. It shares
 * no code with the engine, checks every frame against the schema, and misbehaves on request.
 */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { apply, changeContacts } from './model-commands'
import { contactPage, pull, requests, state, sync } from './model-reads'
import { ModelStore, type Frame, type ModelConversation } from './model-store'
import type { Line, LineServer } from './network'

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

export class ModelServer extends ModelStore implements LineServer {
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
        return answer(sync(this, session.user, frame))
      case 'PULL':
        this.pulls += 1
        return answer(pull(this, session.user, frame))
      case 'CONVERSATION':
        return answer(state(this, session.user, frame))
      case 'GROUP_REQUESTS':
        return answer(requests(this, session.user, frame))
      case 'CONTACTS':
        return answer(contactPage(this, session.user, frame))
      case 'GROUP_INVITATIONS':
        return answer(this.#noInvitations(session.user))
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
      case 'PRESENCE_SUBSCRIBE':
        return answer({ type: 'PRESENCE_STATE', items: (frame.users as string[]).map((user) => ({ user, online: false })) })
      case 'TYPING':
        return
      default:
        // A request that were never answered would look like a dead line, to no end.
        if (frame.clientMsgId === undefined) throw new Error(`the model server does not know ${String(frame.type)}`)
        return this.#send(session, frame)
    }
  }

  /** Here nobody is asked before being taken into a group. */
  #noInvitations(user: string): Frame {
    const personal = this.personal(user)
    return { type: 'GROUP_INVITATION_STATE', conversationId: personal?.id, asOfSeq: personal?.events.length ?? 0, invitations: [], more: false }
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
    const outcome = apply(this, user, frame)
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
    this.push(conversation, seq, line)
  }

  #existing(user: string, frame: Frame) {
    const id = frame.type === 'SINGLE_CHAT' ? this.single(user, frame.to)?.id : (frame.groupId ?? frame.conversationId ?? '')
    if (frame.type === 'GROUP_JOIN') return this.#names.get(`join:${frame.code}|${user}|${frame.clientMsgId}`)
    return id === undefined ? undefined : this.#names.get(`${id}|${user}|${frame.clientMsgId}`)
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
    const { clientMsgId, action } = frame
    const name = `contact:${frame.user}|${user}|${clientMsgId}`
    if (this.#names.has(name)) return this.#done(line, frame, true)
    const refuse = (reason: string, more: Frame = {}) =>
      this.#say(line, { type: 'ERROR', reason, message: reason, clientMsgId, ...more })
    const changed = changeContacts(this, user, frame)
    if (typeof changed === 'string') return refuse(changed)
    this.#names.set(name, { conversation: '', seq: 0 })
    const isUnknown = this.nextRefusals[0] === 'timeout' && this.nextRefusals.shift() !== undefined
    if (isUnknown) refuse('timeout', { outcome: 'unknown' })
    else this.#done(line, frame, false)
    for (const [owner, contact] of changed) {
      if (JSON.stringify(contact) === JSON.stringify(this.contactOf(owner, contact.user))) continue
      this.contactsOf(owner).set(contact.user, contact)
      this.derive(owner, user, { kind: 'contactChanged', contact, action })
    }
  }

  protected push({ ...conversation }: ModelConversation, seq: number, by?: Line): void {
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
      this.touch(conversation)
      const relay = { type: 'ACK', ackType: kind, from: session.user, conversationId, msgSeq, ts: this.clock.now() }
      for (const { line, user } of this.#sessions.values()) {
        const own = user === session.user && kind === 'read' && line !== session.line
        const peers = user !== session.user && conversation.kind === 'single' && conversation.users.includes(user)
        if (own || peers) this.#say(line, relay)
      }
    }
  }

  #say(line: Line, frame: Frame): void {
    if (line.isOpen) line.toClient.push(JSON.stringify(frame))
  }
}
