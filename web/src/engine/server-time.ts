/**
 * The server's clock, by what it says: one that was set, or slept, is noticed at the next word.
 *
 * It is late by as long as the word was on its way, never early.
 */
import type { Clock } from './ports'
import type { ServerFrame } from './wire/codec'

export class ServerTime {
  #offsetMs = 0

  constructor(private readonly clock: Clock) {}

  /** Milliseconds since the Unix epoch, by the server. */
  now(): number {
    return this.clock.now() + this.#offsetMs
  }

  /** Takes the time from a frame that was just made. Others tell when something happened. */
  hear(frame: ServerFrame): void {
    const isOfNow =
      frame.type === 'AUTH_OK' ||
      frame.type === 'PONG' ||
      (frame.type === 'ACK' && frame.ackType === 'saved' && frame.duplicate !== true)
    if (isOfNow) this.#offsetMs = frame.ts - this.clock.now()
  }
}
