/**
 * A call that was cut off because one of the two has lost its session with the server goes on
 * as another call between the same two. To the server a session is the party of a call, so the
 * first one is over; to the two who talk it is one call, and so it is in their chat, because
 * each says which call it resumes: the first.
 *
 * Whoever comes back calls, and the other answers without asking its user, who did so before.
 */
import type { CallEnd, CallView, Clock } from '../../engine'

/** How long the two may take to find each other again, in milliseconds. */
const RESUME_MS = 30_000
/** From one attempt to the next, in milliseconds. */
const AGAIN_MS = 1_000
/** From one attempt to get a session to the next, in milliseconds: whoever talks can't wait as long as others do. */
const CONNECT_MS = 2_000

/** Why a call ends that may go on: this side's session is gone, or the other's. */
const CUT_OFF = new Set(['lost', 'disconnected'])
/** Why an attempt fails that may do a moment later: the server has not noticed yet that the first call is over, for one. */
const PASSING = new Set([...CUT_OFF, 'in_call', 'offline', 'unreachable', 'server_busy', 'call_id_taken'])

/** Whether a call is one that goes on, and rings nowhere. */
export function isResumed({ resumes }: Pick<CallView, 'resumes'>): boolean {
  return resumes !== undefined
}

export interface ResumingOptions {
  clock: Clock
  /** Whether there is a session with the server. */
  isOnline: () => boolean
  /** Tries to get a session now. */
  connect: () => void
  redial: () => void
  giveUp: (end: CallEnd) => void
}

export class Resuming {
  readonly #options: ResumingOptions
  /** How the call would have ended. */
  #end: CallEnd | undefined
  /** Whether it is for this side to call. */
  #redials = false
  #cancelLast: () => void = () => {}
  #cancelNext: () => void = () => {}
  #cancelConnect: () => void = () => {}

  constructor(options: ResumingOptions) {
    this.#options = options
  }

  /** Whether the two are cut off from each other at present. */
  get isWaiting(): boolean {
    return this.#end !== undefined
  }

  /** The call has ended. True if it may go on, which is the end of an attempt, too. */
  takes(end: CallEnd, wasConnected: boolean): boolean {
    if (!this.#end) {
      if (!wasConnected || !CUT_OFF.has(end.reason)) return false
      this.#end = end
      this.#cancelLast = this.#options.clock.after(RESUME_MS, () => this.#giveUp())
      this.#connect()
    } else if (end.reason !== 'glare' && !PASSING.has(end.reason)) {
      this.stop()
      return false
    }
    // Whose session stands waits for the other; where both call, the server says whose call it is.
    this.#redials = (this.#redials || end.reason === 'lost') && end.reason !== 'glare'
    this.#cancelNext()
    this.#cancelNext = this.#options.clock.after(AGAIN_MS, () => this.online())
    return true
  }

  /** There is a session again. */
  online(): void {
    if (!this.#end || !this.#redials || !this.#options.isOnline()) return
    this.#cancelNext()
    this.#options.redial()
  }

  /** They have found each other, or nobody looks any more. */
  stop(): void {
    this.#end = undefined
    this.#redials = false
    this.#cancelLast()
    this.#cancelNext()
    this.#cancelConnect()
  }

  #connect(): void {
    this.#cancelConnect = this.#options.clock.after(CONNECT_MS, () => {
      if (!this.#options.isOnline()) this.#options.connect()
      this.#connect()
    })
  }

  #giveUp(): void {
    const end = this.#end
    this.stop()
    if (end) this.#options.giveUp(end)
  }
}
