/** How well the other side can be heard and seen, by what the browser counts. */
import type { Clock } from '../../engine'

/** Counts of one moment. */
export interface Sample {
  received: number
  lost: number
  /** There and back, in milliseconds, if it was measured. */
  roundTripMs?: number
}

/** How often the way is measured, in milliseconds. */
const SAMPLE_MS = 2_000
/** From this share of packets lost between two samples on, it is heard. */
const LOST_SHARE = 0.08
/** From this there-and-back time on, two people speak at the same time, in milliseconds. */
const ROUND_TRIP_MS = 500
/** Of fewer packets a share says nothing. */
const PACKETS_MIN = 20

/** Takes from a report what is counted here. */
export function sampleOf(report: Iterable<Record<string, unknown>>): Sample {
  const sample: Sample = { received: 0, lost: 0 }
  for (const { type, packetsReceived, packetsLost, state, nominated, currentRoundTripTime } of report) {
    if (type === 'inbound-rtp') {
      sample.received += Number(packetsReceived ?? 0)
      sample.lost += Math.max(0, Number(packetsLost ?? 0))
    }
    if (type === 'candidate-pair' && state === 'succeeded' && nominated === true && typeof currentRoundTripTime === 'number') {
      sample.roundTripMs = currentRoundTripTime * 1_000
    }
  }
  return sample
}

export function isPoor(before: Sample, now: Sample): boolean {
  const lost = Math.max(0, now.lost - before.lost)
  const all = lost + Math.max(0, now.received - before.received)
  // Somebody sends sound all the time: silence on the line is the worst of all.
  if (all === 0) return true
  if (all >= PACKETS_MIN && lost / all >= LOST_SHARE) return true
  return (now.roundTripMs ?? 0) >= ROUND_TRIP_MS
}

export interface QualityWatchOptions {
  clock: Clock
  /** What the browser has counted; nothing once there is no connection. */
  stats: () => Promise<Iterable<Record<string, unknown>>> | undefined
  onMeasured: (isPoor: boolean) => void
}

/** Measures every so often, until it is stopped. */
export class QualityWatch {
  readonly #options: QualityWatchOptions
  #cancel: () => void = () => {}
  /** Of the watch that counts: what an earlier one still measures is of no interest. */
  #number = 0

  constructor(options: QualityWatchOptions) {
    this.#options = options
  }

  start(): void {
    this.stop()
    this.#plan(this.#number, undefined)
  }

  stop(): void {
    this.#number += 1
    this.#cancel()
    this.#cancel = () => {}
  }

  #plan(number: number, before: Sample | undefined): void {
    this.#cancel = this.#options.clock.after(SAMPLE_MS, () => void this.#measure(number, before))
  }

  async #measure(number: number, before: Sample | undefined): Promise<void> {
    const report = await this.#options.stats()
    if (!report || number !== this.#number) return
    const now = sampleOf(report)
    if (before) this.#options.onMeasured(isPoor(before, now))
    this.#plan(number, now)
  }
}
