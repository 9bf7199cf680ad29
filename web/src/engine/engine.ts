/**
 * The engine: keeps a device in step with the server for as long as it runs.
 *
 * This file is its life: renewing the token, connecting, coming back, stopping. What a
 * session does is in `session.ts`, what the device holds in `device.ts`.
 */
import { Backoff } from './backoff'
import { Calls } from './call/calls'
import type { CallRequest } from './call/view'
import { Credentials } from './credentials'
import { Device } from './device'
import type { Ending } from './ending'
import { Link } from './link'
import type { Request } from './outbox'
import type { AskSettings, Clock, Grant, Log, Random, Renew, Storage, Transport } from './ports'
import { Session } from './session'
import type { Patch, Status } from './view'
import type { AuthOk, Limits } from './wire/protocol'

/** A session that lasted so long was a good one: the next wait begins small, in milliseconds. */
const STEADY_MS = 10_000

export interface EngineTimes {
  openMs: number
  answerMs: number
  probeMs: number
  silenceMs: number
  backoffBaseMs: number
  backoffCapMs: number
}

const TIMES: EngineTimes = {
  openMs: 10_000,
  answerMs: 20_000,
  probeMs: 5_000,
  silenceMs: 25_000,
  backoffBaseMs: 500,
  backoffCapMs: 30_000,
}

export interface EngineOptions {
  userId: string
  deviceId: string
  /** Name and version of the client program. */
  client: string
  platform: string
  /** An access token, if there is one already. */
  grant?: Grant
  renew: Renew
  /** Without it settings are unknown until they change. */
  askSettings?: AskSettings
  transport: Transport
  clock: Clock
  random: Random
  storage: Storage
  log: Log
  show: (patch: Patch) => void
  times?: Partial<EngineTimes>
}

/** What the user may ask of an engine, in this tab or in another. */
export interface Commands {
  /** Sends, now or when that is possible. Returns the name under which it is in the outbox. */
  send(request: Request): string
  /** Sends what was refused once more, as a new message. */
  sendAnew(clientMsgId: string): void
  /** Gives up what was refused, or has never left. */
  discard(clientMsgId: string): void
  open(conversationId: string): void
  close(conversationId: string): void
  loadOlder(conversationId: string): void
  /** The user has seen everything up to here. */
  markRead(conversationId: string, seq: number): void
  /** The user types, or has stopped. May be said with every key. */
  typing(conversationId: string, stopped: boolean): void
  /** A part of a call, as the tab that has it wants it. Of this moment: nothing of it is kept or asked for again. */
  call(request: CallRequest): void
  /** Connects now: the user asks for it, or the network is back. */
  connect(): void
}

export class Engine implements Commands {
  readonly #options: EngineOptions
  readonly #times: EngineTimes
  readonly #device: Device
  readonly #credentials: Credentials
  readonly #backoff: Backoff
  readonly #calls: Calls
  #status: Status = { kind: 'stopped' }
  #link: Link | undefined
  #session: Session | undefined
  #limits: Limits | undefined
  #readyAt = 0
  /** Whether the server refused a token that it had just given. */
  #refusals = 0
  #cancelWait: () => void = () => {}
  #isRunning = false

  constructor(options: EngineOptions) {
    this.#options = options
    this.#times = { ...TIMES, ...options.times }
    const { userId, storage, log, random, clock } = options
    this.#device = new Device({ userId, storage, log, show: (patch) => options.show(patch) })
    this.#calls = new Calls({ clock, log, show: (patch) => options.show(patch) })
    this.#credentials = new Credentials(options.renew, clock, log, options.grant)
    const { backoffBaseMs: baseMs, backoffCapMs: capMs } = this.#times
    this.#backoff = new Backoff({ baseMs, capMs }, random)
  }

  get status(): Status {
    return this.#status
  }

  /** Shows what is on disk, and connects. @throws if the disk can't be read. */
  async start(): Promise<void> {
    await this.#device.load()
    this.#isRunning = true
    this.#connect()
  }

  /** Ends the session and waits until everything is on disk. */
  async stop(): Promise<void> {
    this.#isRunning = false
    this.#cancelWait()
    this.#hangUp()
    this.#tell({ kind: 'stopped' })
    await this.#device.written()
  }

  /** Everything that is shown, for who has seen nothing yet. */
  snapshot(): Patch {
    const limits = this.#limits === undefined ? {} : { limits: this.#limits }
    const moment = { ...this.#session?.moment.snapshot(), ...this.#session?.notices.snapshot(), ...this.#calls.snapshot() }
    return { ...this.#device.snapshot(), status: this.#status, ...limits, ...moment }
  }

  /** Resolves when everything so far is on disk. */
  written(): Promise<void> {
    return this.#device.written()
  }

  /** A name that is in the outbox already is the same message, and is not sent twice. */
  send(request: Request, clientMsgId = this.#options.random.uuid()): string {
    if (this.#device.outbox.get(clientMsgId)) return clientMsgId
    const lane = this.#laneOf(request, clientMsgId)
    this.#device.step((step) => {
      step.putEntry(this.#device.outbox.add(clientMsgId, lane, request, this.#options.clock.now()))
    })
    return clientMsgId
  }

  sendAnew(clientMsgId: string): void {
    const entry = this.#device.outbox.get(clientMsgId)
    if (entry?.state !== 'refused') return
    this.discard(clientMsgId)
    this.send(entry.request)
  }

  discard(clientMsgId: string): void {
    const entry = this.#device.outbox.get(clientMsgId)
    const neverLeft = entry?.state === 'waiting' && entry.firstSentTs === undefined
    if (entry?.state !== 'refused' && !neverLeft) return
    this.#device.step((step) => {
      this.#device.outbox.remove(clientMsgId)
      step.removeEntry(clientMsgId)
    })
  }

  open(conversationId: string): void {
    this.#device.look(conversationId)
    const timeline = this.#device.timelines.get(conversationId)
    if (timeline) this.#device.step((step) => timeline.hear(step, timeline.record.head))
    this.#session?.focus([conversationId])
  }

  close(conversationId: string): void {
    this.#device.lookAway(conversationId)
    this.#session?.blur(conversationId)
  }

  loadOlder(conversationId: string): void {
    const timeline = this.#device.timelines.get(conversationId)
    if (timeline?.hasMoreOnDisk === true) {
      this.#device
        .recover(timeline)
        .catch((error: unknown) => this.#options.log('older events can not be read', error))
    } else {
      this.#session?.older(conversationId)
    }
  }

  markRead(conversationId: string, seq: number): void {
    const timeline = this.#device.timelines.get(conversationId)
    if (timeline) this.#device.step((step) => timeline.markRead(step, seq))
  }

  typing(conversationId: string, stopped: boolean): void {
    this.#session?.moment.type(conversationId, stopped)
  }

  call(request: CallRequest): void {
    this.#calls.request(request)
  }

  /** A tab is gone, and with it the call that it had. */
  tabGone(tab: string): void {
    this.#calls.tabGone(tab)
  }

  connect(): void {
    if (!this.#isRunning || this.#status.kind === 'signedOut') return
    if (this.#link) {
      this.#link.probe()
      return
    }
    if (this.#status.kind !== 'offline' && this.#status.kind !== 'halted') return
    this.#cancelWait()
    this.#connect()
  }

  #connect(): void {
    this.#tell({ kind: 'connecting' })
    const { token } = this.#credentials
    if (token === undefined) void this.#renewThenConnect()
    else this.#dial(token)
  }

  async #renewThenConnect(): Promise<void> {
    const renewal = await this.#credentials.renew()
    if (!this.#isRunning || this.#link || this.#status.kind !== 'connecting') return
    if (renewal.kind === 'refused') this.#tell({ kind: 'signedOut', reason: renewal.reason })
    else if (renewal.kind === 'unavailable') this.#wait(renewal.retryAfterMs ?? 0, 'unreachable')
    else this.#dial(renewal.grant.accessToken)
  }

  #dial(token: string): void {
    const { transport, clock, log, deviceId, platform, client } = this.#options
    const hello = { type: 'AUTH' as const, token, v: 1, caps: ['head'], deviceId, platform, client }
    const link: Link = new Link({
      transport,
      clock,
      log,
      times: this.#times,
      hello,
      listener: {
        ready: (session) => this.#begin(link, session),
        received: (frame) => this.#session?.receive(frame),
        ended: (ending) => this.#end(ending),
      },
    })
    this.#link = link
  }

  #begin(link: Link, hello: AuthOk): void {
    const { clock, log, userId } = this.#options
    if (hello.from !== userId) {
      this.#hangUp()
      this.#tell({ kind: 'signedOut', reason: 'another_user' })
      return
    }
    this.#readyAt = clock.now()
    this.#refusals = 0
    if (this.#device.record?.epoch !== hello.epoch) this.#device.restart(hello.epoch)
    this.#limits = hello.limits
    this.#options.show({ limits: hello.limits })
    this.#tell({ kind: 'catchingUp' })
    this.#session = new Session({
      device: this.#device,
      link,
      clock,
      log,
      hello,
      show: this.#options.show,
      calls: this.#calls,
      onEpoch: (epoch) => {
        this.#hangUp()
        this.#device.restart(epoch)
        this.#wait(0, 'restored')
      },
      onCaughtUp: () => {
        this.#tell({ kind: 'online' })
        void this.#askSettings(link)
      },
      onExpiring: () => void this.#reauthenticate(link),
    })
    this.#session.start()
  }

  /** Once a session, as long as the personal timeline does not tell them. */
  async #askSettings(link: Link): Promise<void> {
    const { askSettings, log } = this.#options
    const { token } = this.#credentials
    if (!askSettings || token === undefined || !this.#device.wantsSettings) return
    try {
      const settings = await askSettings(token)
      if (this.#link === link) this.#device.takeSettings(settings)
    } catch (error) {
      log('the settings are not to be had', error)
    }
  }

  async #reauthenticate(link: Link): Promise<void> {
    const renewal = await this.#credentials.renew()
    if (this.#link !== link) return
    if (renewal.kind === 'granted') {
      // Refused, the session goes on until its token ends, and the next one begins anew.
      link.request({ type: 'REAUTH', token: renewal.grant.accessToken }, () => {})
    } else if (renewal.kind === 'unavailable') {
      const delayMs = this.#times.backoffBaseMs + (renewal.retryAfterMs ?? this.#times.backoffCapMs / 6)
      this.#options.clock.after(delayMs, () => {
        if (this.#link === link) void this.#reauthenticate(link)
      })
    }
    // Refused for good: the server ends the session with its token, and says why.
  }

  #end(ending: Ending): void {
    const wasSteady = this.#session && this.#options.clock.now() - this.#readyAt >= STEADY_MS
    this.#hangUp()
    if (wasSteady === true) this.#backoff.reset()
    switch (ending.kind) {
      case 'retry':
        this.#wait(ending.retryAfterMs, ending.reason)
        return
      case 'renew':
        this.#credentials.spoil()
        this.#refusals += 1
        // The first time with a new token at once, then no faster than anything else.
        if (this.#refusals === 1) this.#connect()
        else this.#wait(0, 'refused')
        return
      case 'signedOut':
        this.#credentials.spoil()
        this.#tell({ kind: 'signedOut', reason: ending.reason })
        return
      case 'halt':
        this.#tell({ kind: 'halted', reason: ending.reason })
    }
  }

  #wait(retryAfterMs: number, reason: string): void {
    const delayMs = this.#backoff.next(retryAfterMs)
    this.#tell({ kind: 'offline', retryAt: this.#options.clock.now() + delayMs, reason })
    this.#cancelWait = this.#options.clock.after(delayMs, () => this.#connect())
  }

  #hangUp(): void {
    this.#session?.stop()
    this.#session = undefined
    this.#link?.close()
    this.#link = undefined
  }

  #tell(status: Status): void {
    this.#status = status
    this.#options.show({ status })
  }

  #laneOf(request: Request, clientMsgId: string): string {
    switch (request.type) {
      case 'SINGLE_CHAT':
        return `user:${request.to}`
      case 'GROUP_CREATE':
        return `new:${clientMsgId}`
      case 'GROUP_JOIN':
        return `join:${request.code}`
      case 'CONVERSATION_SETTINGS':
        return `settings:${request.conversationId}`
      case 'CONTACT':
        return `contact:${request.user}`
      case 'MESSAGE_REVOKE':
      case 'MESSAGE_EDIT':
      case 'REACTION':
        return this.#device.laneOf(request.conversationId ?? '')
      default:
        return `conversation:${request.groupId}`
    }
  }
}
