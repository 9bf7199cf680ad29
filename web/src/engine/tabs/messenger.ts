/**
 * The engine as a tab has it: one tab leads and runs the engine, the others are told what it
 * shows and ask it for what their users want. When the leader goes, another takes over from
 * the same storage.
 *
 * What a user asks for in a tab that does not lead is asked again of the next leader until it
 * is done. Messages are named where they are written, so that none is sent twice.
 */
import type { CallRequest } from '../call/view'
import type { Commands, Engine } from '../engine'
import type { Request } from '../outbox'
import type { Random } from '../ports'
import { applyPatch, emptyView, type Patch, type View } from '../view'
import type { Tabs, Word } from './ports'

export interface MessengerOptions {
  tabs: Tabs
  random: Random
  /** Makes the engine, with storage opened, when this tab leads. */
  lead: (show: (patch: Patch) => void) => Promise<Engine>
  /** Something shown has changed. */
  onChange: (view: View, patch: Patch) => void
  onProblem: (problem: unknown) => void
}

type Command = keyof Commands

export class Messenger implements Commands {
  readonly view: View = emptyView()
  readonly #options: MessengerOptions
  /** This tab's own name. */
  readonly tab: string
  #engine: Engine | undefined
  /** Who leads, as far as this tab has heard. */
  #leader: string | undefined
  #isGone = false
  #nextNumber = 1
  /** What was asked for and is not done, in order. */
  readonly #asked = new Map<number, { command: Command; parameters: unknown[] }>()
  /** As a leader: what each tab looks at, and what was done for it. */
  readonly #lookers = new Map<string, Set<string>>()
  readonly #doneFor = new Map<string, number>()
  /** The tab that has the call, while it is watched. */
  #watched: string | undefined

  constructor(options: MessengerOptions) {
    this.#options = options
    this.tab = options.random.uuid()
    options.tabs.be(this.tab)
    options.tabs.hear((word) => this.#hear(word))
    options.tabs.say({ kind: 'hello', tab: this.tab })
    options.tabs.lead(() => void this.#lead())
  }

  get isLeader(): boolean {
    return this.#engine !== undefined
  }

  send(request: Request): string {
    const clientMsgId = this.#options.random.uuid()
    this.#ask('send', [request, clientMsgId])
    return clientMsgId
  }

  sendAnew(clientMsgId: string): void {
    this.#ask('sendAnew', [clientMsgId])
  }

  discard(clientMsgId: string): void {
    this.#ask('discard', [clientMsgId])
  }

  open(conversationId: string): void {
    this.#ask('open', [conversationId])
  }

  close(conversationId: string): void {
    this.#ask('close', [conversationId])
  }

  loadOlder(conversationId: string): void {
    this.#ask('loadOlder', [conversationId])
  }

  markRead(conversationId: string, seq: number): void {
    this.#ask('markRead', [conversationId, seq])
  }

  /** Said of the moment, so it is not said again of the next leader. */
  typing(conversationId: string, stopped: boolean): void {
    if (this.#engine) this.#engine.typing(conversationId, stopped)
    else this.#pass(0, 'typing', [conversationId, stopped])
  }

  /** Of the moment, too: the next leader has no session in which the call could go on. */
  call(request: CallRequest): void {
    if (this.#engine) this.#engine.call(request)
    else this.#pass(0, 'call', [request])
  }

  connect(): void {
    this.#ask('connect', [])
  }

  /** Gives up the lead, if it has it, and says nothing more. */
  async leave(): Promise<void> {
    this.#isGone = true
    this.#options.tabs.say({ kind: 'bye', tab: this.tab })
    await this.#engine?.stop()
    this.#options.tabs.leave()
  }

  async #lead(): Promise<void> {
    if (this.#isGone) return
    try {
      const engine = await this.#options.lead((patch) => {
        this.#show(patch)
        this.#options.tabs.say({ kind: 'news', patch })
      })
      await engine.start()
      this.#engine = engine
    } catch (problem) {
      this.#options.onProblem(problem)
      return
    }
    for (const id of this.#openHere) this.#look(this.tab, id)
    for (const [number, { command, parameters }] of this.#asked) {
      this.#do(this.tab, number, command, parameters)
    }
    this.#asked.clear()
    // The others ask again for what the former leader has not done.
    this.#options.tabs.say({ kind: 'whole', leader: this.tab, patch: this.#engine.snapshot() })
  }

  readonly #openHere = new Set<string>()

  #ask(command: Command, parameters: unknown[]): void {
    if (command === 'open') this.#openHere.add(parameters[0] as string)
    if (command === 'close') this.#openHere.delete(parameters[0] as string)
    const number = this.#nextNumber++
    if (this.#engine) {
      this.#do(this.tab, number, command, parameters)
      return
    }
    this.#asked.set(number, { command, parameters })
    this.#pass(number, command, parameters)
  }

  /** Asks the leader. Where none is known, this waits until one says that it leads. */
  #pass(number: number, command: Command, parameters: unknown[]): void {
    const leader = this.#leader
    if (leader === undefined) return
    this.#options.tabs.say({ kind: 'ask', leader, tab: this.tab, number, command, parameters })
  }

  #hear(word: Word): void {
    if (this.#isGone) return
    if (this.#engine) this.#hearAsLeader(this.#engine, word)
    else this.#hearAsFollower(word)
  }

  #hearAsFollower(word: Word): void {
    if (word.kind === 'news') this.#show(word.patch)
    if (word.kind === 'done' && word.tab === this.tab) this.#asked.delete(word.number)
    if (word.kind !== 'whole' || (word.tab !== undefined && word.tab !== this.tab)) return
    this.#show(word.patch)
    if (this.#leader === word.leader) return
    this.#leader = word.leader
    // A new leader knows nothing of what this tab looks at, nor of what it has asked for.
    for (const id of this.#openHere) this.#pass(0, 'open', [id])
    for (const [number, { command, parameters }] of this.#asked) {
      this.#pass(number, command, parameters)
    }
  }

  #hearAsLeader(engine: Engine, word: Word): void {
    if (word.kind === 'hello') {
      this.#options.tabs.say({
        kind: 'whole',
        leader: this.tab,
        tab: word.tab,
        patch: engine.snapshot(),
      })
    } else if (word.kind === 'ask' && word.leader === this.tab) {
      this.#do(word.tab, word.number, word.command as Command, word.parameters)
    } else if (word.kind === 'bye') {
      for (const id of [...(this.#lookers.get(word.tab) ?? [])]) this.#lookAway(word.tab, id)
    }
  }

  #do(tab: string, number: number, command: Command, parameters: unknown[]): void {
    const engine = this.#engine
    if (!engine) return
    const isAgain = number > 0 && number <= (this.#doneFor.get(tab) ?? 0)
    if (!isAgain) {
      if (number > 0) this.#doneFor.set(tab, number)
      if (command === 'open') this.#look(tab, parameters[0] as string)
      else if (command === 'close') this.#lookAway(tab, parameters[0] as string)
      else (engine[command] as (...values: unknown[]) => unknown).apply(engine, parameters)
    }
    void engine.written().then(() => this.#options.tabs.say({ kind: 'done', tab, number }))
  }

  /** A conversation is open as long as any tab looks at it. */
  #look(tab: string, id: string): void {
    const looked = this.#lookers.get(tab) ?? new Set()
    this.#lookers.set(tab, looked.add(id))
    this.#engine?.open(id)
  }

  #lookAway(tab: string, id: string): void {
    this.#lookers.get(tab)?.delete(id)
    const isLookedAt = [...this.#lookers.values()].some((looked) => looked.has(id))
    if (!isLookedAt) this.#engine?.close(id)
  }

  /** Who leads ends the call of a tab that is gone. */
  #watch(tab: string): void {
    if (this.#watched === tab) return
    this.#watched = tab
    this.#options.tabs.whenGone(tab, () => this.#engine?.tabGone(tab))
  }

  #show(patch: Patch): void {
    applyPatch(this.view, patch)
    const { tab } = patch.call ?? {}
    if (tab !== undefined && tab !== this.tab) this.#watch(tab)
    this.#options.onChange(this.view, patch)
  }
}
