/** How well the other side can be heard and seen, by what the browser counts. */

/** Counts of one moment. */
export interface Sample {
  received: number
  lost: number
  /** There and back, in milliseconds, if it was measured. */
  roundTripMs?: number
}

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
