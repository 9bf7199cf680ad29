/**
 * Looking for another way between the two devices of a call, because the one there was is
 * interrupted: a phone that leaves the house changes its network in the middle of a sentence.
 *
 * It is an ICE restart (RFC 8445 section 9). The signalling has no frames for a second
 * description, and needs none: of the two descriptions nothing changes but the name and the
 * password under which ways are tried. These go where candidates go, which the server passes on
 * as they are. A client that does not know them takes them for a candidate of no use.
 *
 * The side that called begins, so that never both begin; the other one asks it to.
 */
import type { Clock, Log } from '../ports'
import type { IceCredentials, Peer } from './ports'

/** How long a way that is interrupted may come back by itself, in milliseconds: most do. */
const PATIENCE_MS = 2_000
/** From one attempt to the next, in milliseconds. */
const AGAIN_MS = 6_000

type Word = { kind: 'wanted' } | ({ kind: 'offer' | 'answer'; number: number } & IceCredentials)

export interface RestartOptions {
  clock: Clock
  log: Log
  peer: Peer
  /** Says something where candidates are said. */
  say: (candidate: string) => void
  /** Keeps back what is found of ways until the other side knows under which name. */
  hold: () => void
  release: () => void
  /** Whether there is a way at present. */
  isConnected: () => boolean
  /** Does one thing after the other. */
  queue: (work: () => Promise<void>) => void
}

export class Restart {
  readonly #options: RestartOptions
  /** Whether this side called. */
  #isOwner = false
  /** Of the attempt that counts. */
  #number = 0
  #begunAt = -Infinity
  #cancel: () => void = () => {}

  constructor(options: RestartOptions) {
    this.#options = options
  }

  /** This side has called, and is the one that begins. */
  own(): void {
    this.#isOwner = true
  }

  /** The way is interrupted: looks for another in a moment, or at once, and again until `stop`. */
  start(isUrgent: boolean): void {
    this.#cancel()
    const sinceMs = this.#options.clock.now() - this.#begunAt
    this.#plan(Math.max(isUrgent ? 0 : PATIENCE_MS, PATIENCE_MS - sinceMs))
  }

  stop(): void {
    this.#cancel()
    this.#cancel = () => {}
  }

  /** Takes what the other side said where candidates are said. False if it was a candidate. */
  hear(candidate: string): boolean {
    const word = wordIn(candidate)
    if (!word) return false
    if (word.kind === 'wanted') {
      if (this.#isOwner) this.start(true)
    } else if (word.kind === 'offer' && !this.#isOwner) {
      this.#answer(word)
    } else if (word.kind === 'answer' && this.#isOwner) {
      this.#attempt(async () => {
        // One that answers an earlier attempt says nothing about this one.
        if (word.number !== this.#number) return
        await this.#options.peer.acceptRestart(word)
        this.#stopIfConnected()
      })
    }
    return true
  }

  #plan(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#begin()
      this.#plan(AGAIN_MS)
    })
  }

  #begin(): void {
    this.#begunAt = this.#options.clock.now()
    if (!this.#isOwner) {
      this.#say({ kind: 'wanted' })
      return
    }
    const number = (this.#number += 1)
    this.#attempt(async () => this.#say({ kind: 'offer', number, ...(await this.#options.peer.restart()) }))
  }

  #answer({ number, ...credentials }: Extract<Word, { kind: 'offer' | 'answer' }>): void {
    this.#attempt(async () => {
      this.#say({ kind: 'answer', number, ...(await this.#options.peer.answerRestart(credentials)) })
      this.#stopIfConnected()
    })
  }

  /** Where the way before still leads there, nothing says that the new one does. */
  #stopIfConnected(): void {
    if (this.#options.isConnected()) this.stop()
  }

  /** An attempt that fails is not the end of the call: there is another. */
  #attempt(work: () => Promise<void>): void {
    const { queue, hold, release, log } = this.#options
    queue(async () => {
      hold()
      await work().catch((error: unknown) => log('no other way could be looked for', error))
      release()
    })
  }

  #say(word: Word): void {
    const { kind } = word
    const said = kind === 'wanted' ? { kind } : { kind, number: word.number, name: word.name, password: word.password }
    this.#options.say(JSON.stringify({ restart: said }))
  }
}

/** What a name or a password may be made of (RFC 8839): nothing that could be another line of a description. */
function isCredential(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9+/]{1,256}$/.test(text)
}

function wordIn(candidate: string): Word | undefined {
  try {
    const { restart } = JSON.parse(candidate) as { restart?: Record<string, unknown> }
    const { kind, number, name, password } = restart ?? {}
    if (kind === 'wanted') return { kind }
    const isWhole = (kind === 'offer' || kind === 'answer') && typeof number === 'number'
    return isWhole && isCredential(name) && isCredential(password) ? { kind, number, name, password } : undefined
  } catch {
    return undefined
  }
}
