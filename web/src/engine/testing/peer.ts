/** A connection between two devices for tests: it notes what it is given, and does what a test says. */
import type { IceCredentials, Peer, PeerListener, PeerState } from '../call/ports'

export class TestPeer implements Peer {
  /** What was done with it, in order. */
  readonly done: string[] = []
  isClosed = false
  /** What the next description fails with. */
  failure: Error | undefined
  /** What is found while ways are looked for anew, before the other side can know under which name. */
  findsAnew: string | undefined

  constructor(private readonly listener: PeerListener) {}

  offer(): Promise<string> {
    return this.#describe('offer')
  }

  answer(offer: string): Promise<string> {
    this.done.push(`heard ${offer}`)
    return this.#describe('answer')
  }

  accept(answer: string): Promise<void> {
    this.done.push(`heard ${answer}`)
    return Promise.resolve()
  }

  addCandidate(candidate: string): Promise<void> {
    this.done.push(`took ${candidate}`)
    return Promise.resolve()
  }

  async restart(): Promise<IceCredentials> {
    this.#findAnew()
    await this.#describe('restart')
    return { name: 'mine', password: 'secret' }
  }

  async answerRestart({ name }: IceCredentials): Promise<IceCredentials> {
    this.done.push(`heard ${name}`)
    this.#findAnew()
    await this.#describe('answer')
    return { name: 'mine', password: 'secret' }
  }

  acceptRestart({ name }: IceCredentials): Promise<void> {
    this.done.push(`heard ${name}`)
    return Promise.resolve()
  }

  close(): void {
    this.isClosed = true
  }

  finds(candidate: string): void {
    this.listener.candidate(candidate)
  }

  is(state: PeerState): void {
    this.listener.changed(state)
  }

  #findAnew(): void {
    if (this.findsAnew !== undefined) this.listener.candidate(this.findsAnew)
  }

  #describe(what: string): Promise<string> {
    if (this.failure) return Promise.reject(this.failure)
    this.done.push(what)
    return Promise.resolve(`the ${what}`)
  }
}
