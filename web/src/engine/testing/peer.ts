/** A connection between two devices for tests: it notes what it is given, and does what a test says. */
import type { Peer, PeerListener, PeerState } from '../call/ports'

export class TestPeer implements Peer {
  /** What was done with it, in order. */
  readonly done: string[] = []
  isClosed = false
  /** What the next description fails with. */
  failure: Error | undefined

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

  close(): void {
    this.isClosed = true
  }

  finds(candidate: string): void {
    this.listener.candidate(candidate)
  }

  is(state: PeerState): void {
    this.listener.changed(state)
  }

  #describe(what: string): Promise<string> {
    if (this.failure) return Promise.reject(this.failure)
    this.done.push(what)
    return Promise.resolve(`the ${what}`)
  }
}
