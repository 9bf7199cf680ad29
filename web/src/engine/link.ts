/**
 * One connection and the session on it: authentication, answers matched to requests, signs
 * of life. It ends once, and says what its end means.
 */
import { endingOf, signedOutBy, type Ending } from './ending'
import type { Clock, Connection, Log, Transport } from './ports'
import { ServerTime } from './server-time'
import { decode, decodeAnyway, encode, type ServerFrame } from './wire/codec'
import type { AuthOk, ClientFrame } from './wire/protocol'

export interface LinkTimes {
  /** From connecting to `AUTH_OK`, in milliseconds. */
  openMs: number
  /** From a request to its answer, in milliseconds. */
  answerMs: number
  /** From being asked for a sign of life to its coming, where somebody has reason to doubt, in milliseconds. */
  probeMs: number
  /** Silence after which the server is asked for a sign of life, in milliseconds. */
  silenceMs: number
}

export interface LinkListener {
  ready(session: AuthOk): void
  /** A frame that answers no request. */
  received(frame: ServerFrame): void
  ended(ending: Ending): void
}

export interface LinkOptions {
  transport: Transport
  clock: Clock
  log: Log
  times: LinkTimes
  hello: Extract<ClientFrame, { type: 'AUTH' }>
  listener: LinkListener
}

interface Pending {
  answered: (frame: ServerFrame) => void
  deadline: number
}

export class Link {
  /** The server's clock, as far as it has told. */
  readonly time: ServerTime
  readonly #options: LinkOptions
  readonly #connection: Connection
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #state: 'opening' | 'ready' | 'ended' = 'opening'
  #heardAt: number
  #kicked: string | undefined
  #cancelWatch: () => void

  constructor(options: LinkOptions) {
    this.#options = options
    this.time = new ServerTime(options.clock)
    this.#heardAt = options.clock.now()
    this.#cancelWatch = options.clock.after(options.times.openMs, () => this.#lose('no answer'))
    this.#connection = options.transport.connect({
      opened: () => this.send(options.hello),
      received: (text) => this.#receive(text),
      closed: (code, reason) => this.#end(this.#endingOf(code, reason)),
    })
  }

  send(frame: ClientFrame): void {
    if (this.#state !== 'ended') this.#connection.send(encode(frame))
  }

  /** Asks, and hands over the answer: of the kind that belongs to the request, or `ERROR`. */
  request(frame: ClientFrame, answered: (frame: ServerFrame) => void, withinMs = this.#options.times.answerMs): void {
    const id = this.#nextId++
    const deadline = this.#options.clock.now() + withinMs
    this.#pending.set(id, { answered, deadline })
    this.send({ ...frame, id })
  }

  /** Finds out now whether the connection still works. Whoever doubts waits for it, perhaps in a call, so it ends to the moment. */
  probe(): void {
    if (this.#state !== 'ready') return
    const { clock, times } = this.#options
    const askedAt = clock.now()
    const cancel = clock.after(times.probeMs, () => {
      if (this.#heardAt <= askedAt) this.#lose('silent')
    })
    this.request({ type: 'PING' }, cancel, times.probeMs)
  }

  /** Ends it without telling the listener. */
  close(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#cancelWatch()
    this.#connection.close()
  }

  #receive(text: string): void {
    if (this.#state === 'ended') return
    this.#heardAt = this.#options.clock.now()
    const frame = this.#read(text)
    if (!frame) return
    this.time.hear(frame)
    if (this.#state === 'opening') {
      this.#open(frame)
      return
    }
    if (frame.type === 'KICK') this.#kicked = frame.reason
    const pending = typeof frame.id === 'number' ? this.#pending.get(frame.id) : undefined
    if (pending) {
      this.#pending.delete(frame.id as number)
      pending.answered(frame)
    } else {
      this.#options.listener.received(frame)
    }
  }

  /** What a later server sends may be of a form that is not known here. */
  #read(text: string): ServerFrame | undefined {
    try {
      return decode(text)
    } catch (error) {
      this.#options.log('a frame that this client can not read', error)
      return decodeAnyway(text)
    }
  }

  #open(frame: ServerFrame): void {
    if (frame.type === 'AUTH_OK') {
      this.#state = 'ready'
      this.#watch()
      this.#options.listener.ready(frame)
    } else if (frame.type === 'AUTH_FAIL') {
      this.#end(signedOutBy(frame.reason) ?? { kind: 'renew' })
    }
  }

  /** Looks every so often whether anything was heard, and whether answers are overdue. */
  #watch(): void {
    const { clock, times } = this.#options
    this.#cancelWatch()
    this.#cancelWatch = clock.after(times.silenceMs / 4, () => {
      const now = clock.now()
      const overdue = [...this.#pending.values()].some(({ deadline }) => deadline <= now)
      // A device that slept finds its clock far ahead; what it heard before says nothing.
      if (overdue || now - this.#heardAt > times.silenceMs + times.answerMs) {
        this.#lose('silent')
        return
      }
      if (now - this.#heardAt >= times.silenceMs && this.#pending.size === 0) this.probe()
      this.#watch()
    })
  }

  #lose(reason: string): void {
    this.#end({ kind: 'retry', retryAfterMs: 0, reason })
  }

  #end(ending: Ending): void {
    if (this.#state === 'ended') return
    this.close()
    this.#options.listener.ended(ending)
  }

  #endingOf(code: number, reason: string): Ending {
    const signedOut = signedOutBy(this.#kicked)
    if (signedOut) return signedOut
    if (this.#kicked === 'replaced') return { kind: 'halt', reason: 'replaced' }
    return endingOf(code, reason)
  }
}
