/** A clock for tests: time passes when it is told to. */
import type { Clock } from '../ports'

export class TestClock implements Clock {
  #now = 1_800_000_000_000
  #timers: { at: number; callback: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** When the next timer is due. */
  get nextAt(): number | undefined {
    return this.#timers.length === 0 ? undefined : Math.min(...this.#timers.map(({ at }) => at))
  }

  /** Lets time pass, timers in their order. Settles promises between them. */
  async pass(durationMs: number): Promise<void> {
    const end = this.#now + durationMs
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end)
      if (due.length === 0) break
      const first = due.reduce((one, other) => (other.at < one.at ? other : one))
      this.#timers = this.#timers.filter((timer) => timer !== first)
      this.#now = Math.max(this.#now, first.at)
      first.callback()
      await settled()
    }
    this.#now = end
    await settled()
  }
}

/** Resolves when promises that are resolved have been heard. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
