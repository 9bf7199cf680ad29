/**
 * How long to wait before the next attempt: exponential with full jitter, so that clients
 * that were cut off together do not come back together.
 *
 * The scheme is the "full jitter" of the AWS Architecture Blog's "Exponential Backoff And
 * Jitter" (2015).
 */
import type { Random } from './ports'

export interface BackoffSettings {
  /** The widest first wait, in milliseconds. */
  baseMs: number
  /** The widest wait at all, in milliseconds. */
  capMs: number
}

export class Backoff {
  #failures = 0

  constructor(
    private readonly settings: BackoffSettings,
    private readonly random: Random,
  ) {}

  /** The wait after one more failure, no less than what the server asked for. */
  next(retryAfterMs = 0): number {
    const { baseMs, capMs } = this.settings
    const widestMs = Math.min(capMs, baseMs * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    return retryAfterMs + Math.floor(this.random.fraction() * widestMs)
  }

  reset(): void {
    this.#failures = 0
  }
}
