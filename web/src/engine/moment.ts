/**
 * What is true of the moment: who is online, who is typing. It is kept nowhere, and forgotten with the connection.
 *
 * Whom to be told of is worked out here: friends, and those with whom the user has spoken last.
 */
import type { Device } from './device'
import type { Link } from './link'
import type { Clock } from './ports'
import type { Patch, Presence } from './view'
import type { ServerFrame } from './wire/codec'

/** The most users that may be named in a subscription. */
const USERS_MAX = 256
/** How long changes are collected before another subscription, in milliseconds. */
const COLLECT_MS = 1_000
/** How often the server is told that typing goes on, in milliseconds. */
const TYPING_MS = 3_000

type TypingFrame = Extract<ServerFrame, { type: 'TYPING' }>
type PresenceFrame = Extract<ServerFrame, { type: 'PRESENCE' | 'PRESENCE_STATE' }>

export interface MomentOptions {
  device: Device
  link: Link
  clock: Clock
  show: (patch: Patch) => void
}

export class Moment {
  readonly #options: MomentOptions
  #subscribed = ''
  #cancel: (() => void) | undefined
  /** By conversation, then by user: what ends it. */
  readonly #typing = new Map<string, Map<string, () => void>>()
  readonly #presence = new Map<string, Presence>()
  /** When the server was last told that the user types, by conversation. */
  readonly #saidAt = new Map<string, number>()

  constructor(options: MomentOptions) {
    this.#options = options
  }

  /** Whom to be told of may have changed. */
  look(): void {
    this.#cancel ??= this.#options.clock.after(COLLECT_MS, () => {
      this.#cancel = undefined
      this.#subscribe()
    })
  }

  stop(): void {
    this.#cancel?.()
    for (const users of this.#typing.values()) for (const cancel of users.values()) cancel()
    const typing = [...this.#typing.keys()].map((conversationId) => ({ conversationId, users: [] }))
    this.#typing.clear()
    this.#options.show({ presence: [], forgetPresence: true, typing })
  }

  receive(frame: TypingFrame | PresenceFrame): void {
    if (frame.type === 'TYPING') this.#hearTyping(frame)
    else this.#showPresence(frame.items, false)
  }

  /** Somebody has said something, and types no longer. */
  spoke(conversationId: string, user: string): void {
    const users = this.#typing.get(conversationId)
    const cancel = users?.get(user)
    if (!users || !cancel) return
    cancel()
    users.delete(user)
    this.#showTyping(conversationId)
  }

  /** The user types, or has stopped. May be said with every key. */
  type(conversationId: string, stopped: boolean): void {
    const { clock, link } = this.#options
    const said = this.#saidAt.get(conversationId)
    if (stopped ? said === undefined : said !== undefined && clock.now() - said < TYPING_MS) return
    if (stopped) this.#saidAt.delete(conversationId)
    else this.#saidAt.set(conversationId, clock.now())
    link.send({ type: 'TYPING', conversationId, ...(stopped ? { stopped } : {}) })
  }

  /** All of it, for who has seen nothing yet. */
  snapshot(): Patch {
    const typing = [...this.#typing].map(([conversationId, users]) => ({ conversationId, users: [...users.keys()] }))
    return { presence: [...this.#presence.values()], forgetPresence: true, typing }
  }

  #showPresence(presence: Presence[], forgetPresence: boolean): void {
    if (forgetPresence) this.#presence.clear()
    for (const one of presence) this.#presence.set(one.user, one)
    this.#options.show({ presence, forgetPresence })
  }

  #subscribe(): void {
    const users = this.#users()
    const name = users.join()
    if (name === this.#subscribed) return
    this.#subscribed = name
    this.#options.link.request({ type: 'PRESENCE_SUBSCRIBE', users }, (answer) => {
      if (answer.type === 'PRESENCE_STATE') this.#showPresence(answer.items, true)
      else if (this.#subscribed === name) this.#subscribed = ''
    })
  }

  #users(): string[] {
    const users = new Set<string>()
    const timelines = [...this.#options.device.timelines.values()].sort((one, other) => other.record.ts - one.record.ts)
    for (const { record } of timelines) if (record.peer !== undefined && users.size < USERS_MAX) users.add(record.peer)
    for (const { record } of timelines) {
      if (record.kind !== 'personal' || record.contacts.kind !== 'known') continue
      for (const contact of Object.values(record.contacts.state.contacts)) {
        if (contact.friendSinceTs !== undefined && users.size < USERS_MAX) users.add(contact.user)
      }
    }
    return [...users].sort()
  }

  #hearTyping({ conversationId, from, stopped, expiresInMs }: TypingFrame): void {
    const users = this.#typing.get(conversationId) ?? new Map<string, () => void>()
    users.get(from)?.()
    users.delete(from)
    if (stopped !== true && expiresInMs > 0) {
      users.set(from, this.#options.clock.after(expiresInMs, () => this.spoke(conversationId, from)))
    }
    this.#typing.set(conversationId, users)
    this.#showTyping(conversationId)
  }

  #showTyping(conversationId: string): void {
    const users = [...(this.#typing.get(conversationId)?.keys() ?? [])]
    if (users.length === 0) this.#typing.delete(conversationId)
    this.#options.show({ typing: [{ conversationId, users }] })
  }
}
