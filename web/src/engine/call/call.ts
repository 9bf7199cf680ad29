/**
 * One call, in the tab that has it: brings the two descriptions and the candidates together in
 * their order, and says how the call stands. Told by `hear` what the session's side
 * (`calls.ts`) shows, perhaps from another tab, and asks it through `say`.
 */
import type { Clock, Log } from '../ports'
import type { Peer, PeerListener, PeerState } from './ports'
import { Restart } from './restart'
import type { CallEnd, CallMedia, CallRequest, CallView } from './view'

/** From the beginning until the session has heard of it, in milliseconds. */
const HEARD_MS = 15_000
/** From the answer until the two devices have found each other, in milliseconds. */
const CONNECT_MS = 25_000
/** How long it may take until there is a way again, the old one or another, in milliseconds. */
const RECONNECT_MS = 30_000

/** How a call stands for who is in it. */
export interface CallState {
  phase: 'beginning' | 'dialling' | 'ringing' | 'connecting' | 'connected' | 'reconnecting' | 'over'
  /** When the two were connected first, by this device's clock. */
  connectedAt?: number
  end?: CallEnd
}

export interface CallOptions {
  callId: string
  /** This tab's name. */
  tab: string
  clock: Clock
  log: Log
  connect: (listener: PeerListener) => Peer
  say: (request: CallRequest) => void
  onChange: (state: CallState) => void
}

export class Call {
  readonly callId: string
  readonly #options: CallOptions
  readonly #peer: Peer
  readonly #restart: Restart
  #state: CallState = { phase: 'beginning' }
  /** Whether the other side has been told of this one, and may hear of candidates. */
  #isDescribed = false
  /** Candidates of this side that are found before that. */
  readonly #found: string[] = []
  /** Whether the other side's description was handed to the peer. */
  #isAccepted = false
  /** How many of the other side's candidates were handed to the peer. */
  #taken = 0
  #isShown = false
  #isAnswered = false
  #cancelWait: () => void = () => {}
  /** What is given to the peer, one after the other. */
  #work: Promise<void> = Promise.resolve()

  constructor(options: CallOptions) {
    this.#options = options
    this.callId = options.callId
    this.#peer = options.connect({
      candidate: (candidate) => this.#tell(candidate),
      changed: (state) => this.#follow(state),
    })
    const { clock, log } = options
    this.#restart = new Restart({
      clock,
      log,
      peer: this.#peer,
      say: (candidate) => options.say({ kind: 'candidate', callId: this.callId, candidate }),
      hold: () => (this.#isDescribed = false),
      release: () => this.#release(),
      isConnected: () => this.#state.phase === 'connected',
      queue: (work) => this.#do(work),
    })
    this.#wait(HEARD_MS, { reason: 'offline' })
  }

  get state(): CallState {
    return this.#state
  }

  /** Calls somebody, perhaps to go on with a call from which the two were cut off. */
  dial(to: string, media: CallMedia, resumes?: string): void {
    this.#restart.own()
    this.#do(async () => {
      const sdp = await this.#peer.offer()
      this.#describe({ kind: 'offer', callId: this.callId, tab: this.#options.tab, to, media, sdp, ...(resumes === undefined ? {} : { resumes }) })
      this.#set({ phase: 'dialling' })
    })
  }

  /** Takes a call that rings. */
  answer(view: CallView): void {
    this.#isShown = true
    this.#isAccepted = true
    this.#do(async () => {
      const sdp = await this.#peer.answer(view.sdp ?? '')
      this.#describe({ kind: 'answer', callId: this.callId, tab: this.#options.tab, sdp })
      this.#set({ phase: 'connecting' })
    })
    this.hear(view)
  }

  /** The session's side of a call, whichever, has changed; or there is none. */
  hear(view: CallView | undefined): void {
    if (this.#state.phase === 'over') return
    if (view?.callId !== this.callId) {
      // Before it has come there by way of other tabs, another call may still be shown.
      if (this.#isShown) this.#finish({ reason: 'lost' })
      return
    }
    this.#isShown = true
    if (view.phase === 'over') {
      this.#finish(view.end ?? { reason: 'hungUp' })
    } else if (view.tab !== undefined && view.tab !== this.#options.tab) {
      this.#finish({ reason: 'answeredElsewhere' })
    } else {
      this.#take(view)
    }
  }

  /** This device has another network: the way there was leads nowhere, or soon will. */
  networkChanged(): void {
    if (this.#state.phase === 'connected' || this.#state.phase === 'reconnecting') this.#restart.start(true)
  }

  hangUp(): void {
    if (this.#state.phase === 'over') return
    this.#options.say({ kind: 'hangUp', callId: this.callId })
    this.#finish({ reason: this.#state.connectedAt === undefined ? 'cancelled' : 'hungUp' })
  }

  #take({ phase, direction, sdp, candidates }: CallView): void {
    if (phase === 'ringing' && this.#state.phase === 'dialling') {
      this.#cancelWait()
      this.#set({ phase: 'ringing' })
    }
    if (phase === 'answered' && (this.#state.phase === 'dialling' || this.#state.phase === 'ringing')) {
      this.#set({ phase: 'connecting' })
    }
    if (phase === 'answered' && !this.#isAnswered) {
      this.#isAnswered = true
      if (this.#state.connectedAt === undefined) this.#wait(CONNECT_MS, { reason: 'mediaFailed' })
    }
    if (direction === 'outgoing' && sdp !== undefined && !this.#isAccepted) {
      this.#isAccepted = true
      this.#do(() => this.#peer.accept(sdp))
    }
    // Those that are there before the description wait for it.
    if (!this.#isAccepted) return
    for (const candidate of candidates.slice(this.#taken)) {
      if (!this.#restart.hear(candidate)) this.#do(() => this.#peer.addCandidate(candidate))
    }
    this.#taken = candidates.length
  }

  #describe(request: CallRequest): void {
    this.#options.say(request)
    this.#release()
  }

  #release(): void {
    this.#isDescribed = true
    for (const candidate of this.#found.splice(0)) this.#tell(candidate)
  }

  #tell(candidate: string): void {
    if (this.#state.phase === 'over') return
    if (this.#isDescribed) this.#options.say({ kind: 'candidate', callId: this.callId, candidate })
    else this.#found.push(candidate)
  }

  #follow(state: PeerState): void {
    if (this.#state.phase === 'over') return
    const connectedAt = this.#state.connectedAt ?? this.#options.clock.now()
    switch (state) {
      case 'connected':
        this.#cancelWait()
        this.#restart.stop()
        this.#set({ phase: 'connected', connectedAt })
        return
      case 'disconnected':
        this.#lookAnew(false)
        return
      case 'failed':
        if (this.#state.connectedAt === undefined) this.#fail({ reason: 'mediaFailed' })
        else this.#lookAnew(true)
    }
  }

  /** The two have lost each other. */
  #lookAnew(isUrgent: boolean): void {
    const { phase, connectedAt } = this.#state
    if (connectedAt === undefined) return
    if (phase === 'connected') {
      this.#wait(RECONNECT_MS, { reason: 'mediaFailed' })
      this.#set({ phase: 'reconnecting', connectedAt })
    }
    this.#restart.start(isUrgent)
  }

  #do(work: () => Promise<void>): void {
    this.#work = this.#work
      .then(() => (this.#state.phase === 'over' ? undefined : work()))
      .catch((error: unknown) => {
        this.#options.log('a call failed', error)
        this.#fail({ reason: 'mediaFailed' })
      })
  }

  #wait(durationMs: number, end: CallEnd): void {
    this.#cancelWait()
    this.#cancelWait = this.#options.clock.after(durationMs, () => this.#fail(end))
  }

  /** Ends it from here, for a reason that the other side does not hear. */
  #fail(end: CallEnd): void {
    if (this.#state.phase === 'over') return
    this.#options.say({ kind: 'hangUp', callId: this.callId })
    this.#finish(end)
  }

  #set(next: CallState): void {
    if (this.#state.phase === 'over') return
    this.#state = next
    this.#options.onChange(next)
  }

  #finish(end: CallEnd): void {
    const { connectedAt } = this.#state
    this.#cancelWait()
    this.#restart.stop()
    this.#set({ phase: 'over', end, ...(connectedAt === undefined ? {} : { connectedAt }) })
    this.#peer.close()
  }
}
