/**
 * Calls as far as the session with the server goes: one at a time, whichever tab has it. It
 * passes on what the tab that has the call and the server say to each other, and ends what a
 * lost session ends. Sound and picture, and how devices find each other, are `call.ts`.
 */
import type { Link } from '../link'
import type { Clock, Log } from '../ports'
import type { Patch } from '../view'
import type { AnyError, ServerFrame } from '../wire/codec'
import { isLive, type CallEnd, type CallRequest, type CallView } from './view'

/** How much longer than the server says a call rings before it is given up here, in milliseconds. */
const GRACE_MS = 3_000
/** Until then somebody has answered, or the server has said that nobody does, in milliseconds. */
const RING_MAX_MS = 60_000
/** The most candidates that are kept; a browser with several networks finds some 20, and again whenever its network changes. */
const CANDIDATES_MAX = 1_024

export type CallFrame = Extract<ServerFrame, { type: 'CALL_OFFER' | 'CALL_ANSWER' | 'CALL_ICE' | 'CALL_STATE' }>

export interface CallsOptions {
  clock: Clock
  log: Log
  show: (patch: Patch) => void
}

export class Calls {
  readonly #options: CallsOptions
  #link: Link | undefined
  #call: CallView | undefined
  /** Of somebody who called while this device was calling: the server says which of the two calls goes on. */
  #crossing: CallView | undefined
  #cancelRing: () => void = () => {}

  constructor(options: CallsOptions) {
    this.#options = options
  }

  /** A session begins. */
  attach(link: Link): void {
    this.#link = link
  }

  /** The session is over, and with it the call. */
  detach(): void {
    this.#link = undefined
    this.#crossing = undefined
    this.#finish({ reason: 'lost' })
  }

  /** Of a call that is over nobody has to know who was not there. */
  snapshot(): Patch {
    return isLive(this.#call) ? { call: this.#call } : {}
  }

  request(request: CallRequest): void {
    if (request.kind === 'offer') {
      this.#offer(request)
      return
    }
    const call = this.#call
    if (call?.callId !== request.callId) return
    // The server holds it for a while, as it may go on: not if somebody has hung up.
    if (request.kind === 'hangUp' && call.end?.reason === 'disconnected') this.#say({ type: 'CALL_HANGUP', callId: call.resumes ?? call.callId })
    if (!isLive(call)) return
    switch (request.kind) {
      case 'take':
        if (call.direction === 'incoming' && call.tab === undefined) this.#change({ tab: request.tab })
        return
      case 'leave':
        if (call.tab === request.tab && call.phase === 'ringing') this.#release(call)
        return
      case 'answer':
        this.#answer(call, request.tab, request.sdp)
        return
      case 'candidate':
        this.#link?.send({ type: 'CALL_ICE', callId: call.callId, candidate: request.candidate })
        return
      case 'reject':
        this.#say({ type: 'CALL_REJECT', callId: call.callId })
        this.#finish({ reason: 'rejected' })
        return
      case 'hangUp':
        this.#say({ type: 'CALL_HANGUP', callId: call.callId })
        this.#finish({ reason: call.phase === 'answered' ? 'hungUp' : 'cancelled' })
    }
  }

  /** A tab is gone. If it had the call, nobody is left here to talk; what still rings may be taken in another. */
  tabGone(tab: string): void {
    const call = this.#call
    if (!isLive(call) || call.tab !== tab) return
    if (call.direction === 'incoming' && call.phase === 'ringing') this.#release(call)
    else this.request({ kind: 'hangUp', callId: call.callId })
  }

  receive(frame: CallFrame): void {
    if (frame.type === 'CALL_OFFER') {
      this.#ring(frame)
      return
    }
    if (frame.type === 'CALL_ICE' && this.#crossing?.callId === frame.callId) {
      this.#crossing = withCandidate(this.#crossing, frame.candidate)
      return
    }
    if (frame.type === 'CALL_STATE' && frame.state === 'ended' && this.#crossing?.callId === frame.callId) {
      this.#crossing = undefined
      return
    }
    const call = this.#call
    if (!isLive(call) || call.callId !== frame.callId) return
    if (frame.type === 'CALL_ICE') this.#change(withCandidate(call, frame.candidate))
    else if (frame.type === 'CALL_ANSWER') this.#answered({ sdp: frame.sdp })
    else this.#hear(call, frame)
  }

  /** A refusal of something that was not a question. */
  refused(error: AnyError): void {
    // A candidate that came too late is nothing to worry about.
    if (error.reason !== 'call_not_found') this.#options.log(`the server refused a part of a call: ${error.reason}`)
  }

  #offer({ callId, tab, to, media, sdp, resumes }: Extract<CallRequest, { kind: 'offer' }>): void {
    if (isLive(this.#call)) return
    const resumed = resumes === undefined ? {} : { resumes }
    const call: CallView = { callId, peer: to, direction: 'outgoing', media, ...resumed, phase: 'dialling', tab, candidates: [] }
    this.#begin(call, RING_MAX_MS)
    if (!this.#link) {
      this.#finish({ reason: 'offline' })
      return
    }
    this.#link.request({ type: 'CALL_OFFER', callId, to, media, sdp, ...resumed }, (answer) => {
      if (this.#call?.callId !== callId || this.#call.phase !== 'dialling') return
      if (answer.type === 'ERROR') this.#refuse(answer)
      else if (answer.type === 'CALL_STATE' && answer.state === 'ringing') this.#change({ phase: 'ringing' })
    })
  }

  /** The other side has called at the same moment, and its call is the one that goes on. */
  #refuse(error: AnyError): void {
    const crossing = this.#crossing
    this.#finish(endOf(error))
    this.#crossing = undefined
    if (crossing) this.#begin(crossing, RING_MAX_MS)
  }

  #ring({ callId, from, media, sdp, ringsForMs, resumes }: Extract<CallFrame, { type: 'CALL_OFFER' }>): void {
    if (this.#call?.callId === callId) return
    const call: CallView = { callId, peer: from, direction: 'incoming', media, ...(resumes === undefined ? {} : { resumes }), phase: 'ringing', sdp, candidates: [] }
    if (!isLive(this.#call)) this.#begin(call, ringsForMs + GRACE_MS)
    else if (this.#call.phase === 'dialling') this.#crossing = call
    // The server lets nobody ring who is in a call, so there is nothing else to be done.
  }

  #answer(call: CallView, tab: string, sdp: string): void {
    if (call.direction !== 'incoming' || call.phase !== 'ringing' || (call.tab ?? tab) !== tab) return
    const { callId } = call
    this.#change({ phase: 'answering', tab })
    this.#link?.request({ type: 'CALL_ANSWER', callId, sdp }, (answer) => {
      if (this.#call?.callId !== callId || this.#call.phase !== 'answering') return
      if (answer.type === 'ERROR') this.#finish(endOf(answer))
      else if (answer.type === 'CALL_STATE') this.#hear(this.#call, answer)
    })
  }

  #hear(call: CallView, { state, reason }: Extract<CallFrame, { type: 'CALL_STATE' }>): void {
    if (state === 'ended') this.#finish({ reason: reason ?? 'hungUp' })
    else if (state === 'answered' && call.phase !== 'answered') this.#answered({})
  }

  #answered(more: Partial<CallView>): void {
    if (this.#call?.phase === 'answered') return
    this.#cancelRing()
    this.#change({ ...more, phase: 'answered', answeredAt: this.#options.clock.now() })
  }

  #begin(call: CallView, ringMs: number): void {
    this.#cancelRing()
    this.#cancelRing = this.#options.clock.after(ringMs, () => {
      if (this.#call?.callId !== call.callId) return
      if (call.direction === 'outgoing') this.#say({ type: 'CALL_HANGUP', callId: call.callId })
      this.#finish({ reason: 'noAnswer' })
    })
    this.#call = call
    this.#options.show({ call })
  }

  #release(call: CallView): void {
    const { tab: _, ...rest } = call
    this.#call = rest
    this.#options.show({ call: rest })
  }

  #change(more: Partial<CallView>): void {
    if (!this.#call) return
    this.#call = { ...this.#call, ...more }
    this.#options.show({ call: this.#call })
  }

  /** What the server makes of it is of no more consequence: it is over here. */
  #say(frame: { type: 'CALL_HANGUP' | 'CALL_REJECT'; callId: string }): void {
    this.#link?.request(frame, () => {})
  }

  #finish(end: CallEnd): void {
    if (!isLive(this.#call)) return
    this.#cancelRing()
    // What is told of it when it is over is who it was with, and why.
    const { sdp: _, ...rest } = this.#call
    this.#call = { ...rest, candidates: [], phase: 'over', end }
    this.#options.show({ call: this.#call })
  }
}

function withCandidate(call: CallView, candidate: string): CallView {
  return call.candidates.length < CANDIDATES_MAX ? { ...call, candidates: [...call.candidates, candidate] } : call
}

/** A refusal by its reason. Two of them say that the call is somewhere else, or over, like any other end. */
function endOf({ reason, message, retryAfterMs }: AnyError): CallEnd {
  if (reason === 'call_elsewhere') return { reason: 'answeredElsewhere' }
  if (reason === 'call_not_found') return { reason: 'cancelled' }
  return { reason, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}
