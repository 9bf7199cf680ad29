/**
 * The outbox: what the user has sent and the server has not acknowledged, in order.
 *
 * Whatever goes to one conversation goes through one *lane*, so that nothing overtakes. After
 * a refusal the lane waits until everything that is under way in it has been answered, and
 * begins again with the first. Keeps no time of its own, and sends nothing itself.
 */
import type { AnyError } from './wire/codec'
import type {
  ContactChange,
  GroupAdd,
  GroupAnswer,
  GroupChat,
  GroupCreate,
  GroupDissolve,
  GroupJoin,
  GroupLeave,
  GroupMember,
  GroupRemove,
  GroupRole,
  GroupSettings,
  GroupTitle,
  ConversationSettingsChange,
  MessageEdit,
  MessageReact,
  MessageRevoke,
  SingleChat,
} from './wire/protocol'

type Sent<T extends string, F> = { type: T } & Omit<F, 'clientMsgId' | 'retry' | 'firstSentTs'>

/** What may be sent, without what the outbox adds. */
export type Request =
  | Sent<'SINGLE_CHAT', SingleChat>
  | Sent<'GROUP_CHAT', GroupChat>
  | Sent<'MESSAGE_REVOKE', MessageRevoke>
  | Sent<'MESSAGE_EDIT', MessageEdit>
  | Sent<'REACTION', MessageReact>
  | Sent<'CONVERSATION_SETTINGS', ConversationSettingsChange>
  | Sent<'GROUP_CREATE', GroupCreate>
  | Sent<'GROUP_ADD', GroupAdd>
  | Sent<'GROUP_REMOVE', GroupRemove>
  | Sent<'GROUP_LEAVE', GroupLeave>
  | Sent<'GROUP_ROLE', GroupRole>
  | Sent<'GROUP_TITLE', GroupTitle>
  | Sent<'GROUP_SETTINGS', GroupSettings>
  | Sent<'GROUP_MEMBER', GroupMember>
  | Sent<'GROUP_JOIN', GroupJoin>
  | Sent<'GROUP_ANSWER', GroupAnswer>
  | Sent<'GROUP_DISSOLVE', GroupDissolve>
  | Sent<'CONTACT', ContactChange>

export interface OutboxEntry {
  clientMsgId: string
  /** The place among all that this device sends. */
  order: number
  lane: string
  request: Request
  /** When the user sent it, by this device's clock. */
  createdTs: number
  /** When it was first handed to the network, by the server's clock. */
  firstSentTs?: number
  state: 'waiting' | 'sent' | 'saved' | 'refused'
  /** Why it was refused, or when waiting, why it had to wait. */
  error?: { reason: string; message: string }
  /** Where it is, once that is known. */
  saved?: { conversationId: string; seq: number }
}

interface Lane {
  underWay: number
  /** Whether nothing more is sent until everything under way is answered. */
  settling: boolean
  resumeAt: number
}

/** Reasons after which the same is sent again. */
const PASSING = new Set(['server_busy', 'storage_full', 'after_refused', 'timeout', 'too_many_requests'])

/** How long to wait after a refusal that does not say it, in milliseconds. */
const RETRY_AFTER_MS = 500

/** Whether it is a message, which is retried under other rules than a change. */
export function isChat({ request }: OutboxEntry): boolean {
  return request.type === 'SINGLE_CHAT' || request.type === 'GROUP_CHAT'
}

/** Whether it names a message by its place in a timeline. */
export function namesPlace({ request }: OutboxEntry): boolean {
  if (request.type === 'SINGLE_CHAT' || request.type === 'GROUP_CHAT') {
    return request.replyTo !== undefined || request.forward !== undefined
  }
  return request.type === 'MESSAGE_REVOKE' || request.type === 'MESSAGE_EDIT' || request.type === 'REACTION'
}

export class Outbox {
  readonly #entries = new Map<string, OutboxEntry>()
  readonly #lanes = new Map<string, Lane>()
  #underWay = 0
  #nextOrder = 1

  /** Takes what was kept. Whether any of it was sent is not known. */
  constructor(kept: OutboxEntry[] = []) {
    for (const entry of [...kept].sort((one, other) => one.order - other.order)) {
      const state = entry.state === 'sent' ? 'waiting' : entry.state
      this.#entries.set(entry.clientMsgId, { ...entry, state })
      this.#nextOrder = Math.max(this.#nextOrder, entry.order + 1)
    }
  }

  /** All entries in order. */
  get entries(): OutboxEntry[] {
    return [...this.#entries.values()]
  }

  get(clientMsgId: string): OutboxEntry | undefined {
    return this.#entries.get(clientMsgId)
  }

  add(clientMsgId: string, lane: string, request: Request, createdTs: number): OutboxEntry {
    const order = this.#nextOrder++
    const entry: OutboxEntry = { clientMsgId, order, lane, request, createdTs, state: 'waiting' }
    this.#entries.set(clientMsgId, entry)
    return entry
  }

  /** Takes the next entry that may go, if `room` sends under way are not exceeded. */
  next(now: number, room: number, isReady: (entry: OutboxEntry) => boolean): OutboxEntry | undefined {
    for (const lane of this.#lanes.values()) {
      if (lane.underWay === 0 && lane.resumeAt <= now) lane.settling = false
    }
    if (this.#underWay >= room) return undefined
    const passed = new Set<string>()
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'waiting' || passed.has(entry.lane)) continue
      if (this.#lane(entry.lane).settling || !isReady(entry)) {
        passed.add(entry.lane)
        continue
      }
      return entry
    }
    return undefined
  }

  /** The entry is handed to the network. */
  send(entry: OutboxEntry, serverNow: number): OutboxEntry {
    this.#lane(entry.lane).underWay += 1
    this.#underWay += 1
    const { error: _, ...rest } = entry
    return this.#replace({ ...rest, state: 'sent', firstSentTs: entry.firstSentTs ?? serverNow })
  }

  /** It is on disk there. Returns the entry if it was still of interest. */
  save(clientMsgId: string, saved: { conversationId: string; seq: number }): OutboxEntry | undefined {
    const entry = this.#answered(clientMsgId)
    if (!entry || entry.state === 'saved') return undefined
    const { error: _, ...rest } = entry
    return this.#replace({ ...rest, state: 'saved', saved })
  }

  /** It is done, and has no place to wait for. Returns whether the entry was here. */
  finish(clientMsgId: string): boolean {
    return this.#answered(clientMsgId) !== undefined && this.remove(clientMsgId)
  }

  /** The server did not take it. Returns the entry as it is now. */
  fail(clientMsgId: string, error: AnyError, now: number): OutboxEntry | undefined {
    const entry = this.#answered(clientMsgId)
    if (!entry || entry.state !== 'sent') return undefined
    const { reason, message } = error
    if (!PASSING.has(reason) && error.outcome !== 'unknown') {
      return this.#replace({ ...entry, state: 'refused', error: { reason, message } })
    }
    const lane = this.#lane(entry.lane)
    lane.settling = true
    const waitMs = reason === 'after_refused' ? 0 : (error.retryAfterMs ?? RETRY_AFTER_MS)
    lane.resumeAt = Math.max(lane.resumeAt, now + waitMs)
    return this.#replace({ ...entry, state: 'waiting', error: { reason, message } })
  }

  /** It is given up by the device, without asking the server. */
  refuse(clientMsgId: string, reason: string, message: string): OutboxEntry | undefined {
    const entry = this.#entries.get(clientMsgId)
    return entry && this.#replace({ ...entry, state: 'refused', error: { reason, message } })
  }

  /** What was saved may be so no longer: it is sent once more. */
  resume(clientMsgId: string): OutboxEntry {
    const { saved: _, ...entry } = this.#entries.get(clientMsgId)!
    return this.#replace({ ...entry, state: 'waiting' })
  }

  remove(clientMsgId: string): boolean {
    return this.#entries.delete(clientMsgId)
  }

  /** The connection is lost: what was under way has an unknown outcome. */
  disconnect(): OutboxEntry[] {
    this.#lanes.clear()
    this.#underWay = 0
    const lost = this.entries.filter(({ state }) => state === 'sent')
    return lost.map((entry) => this.#replace({ ...entry, state: 'waiting' }))
  }

  /** When something that waits may go, in the device's time. */
  dueAt(now: number): number | undefined {
    const times = [...this.#lanes.values()]
      .filter(({ settling, underWay, resumeAt }) => settling && underWay === 0 && resumeAt > now)
      .map(({ resumeAt }) => resumeAt)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** An answer came; whether anybody waits for it is not said. */
  #answered(clientMsgId: string): OutboxEntry | undefined {
    const entry = this.#entries.get(clientMsgId)
    if (entry?.state === 'sent') {
      this.#lane(entry.lane).underWay -= 1
      this.#underWay -= 1
    }
    return entry
  }

  #replace(entry: OutboxEntry): OutboxEntry {
    this.#entries.set(entry.clientMsgId, entry)
    return entry
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name)
    if (!lane) {
      lane = { underWay: 0, settling: false, resumeAt: 0 }
      this.#lanes.set(name, lane)
    }
    return lane
  }
}
