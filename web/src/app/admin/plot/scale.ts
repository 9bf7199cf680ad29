/** Where a number stands on an axis, and which lines and labels the axis has. Pure. */

export interface Scale {
  /** The values of the lines, from below. */
  ticks: number[]
  /** How far up a value stands: 0 at the foot, 1 at the top. */
  fraction: (value: number) => number
}

const clamp = (fraction: number) => Math.min(1, Math.max(0, fraction))

/** From nought to a round number at or above the greatest; steps of 1, 2 or 5 times a power of ten. */
export function linearScale(greatest: number, leastStep = 0, lines = 4): Scale {
  const rough = (greatest > 0 ? greatest : 1) / lines
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = Math.max(leastStep, [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough * 0.9999)!)
  return upTo(greatest, step)
}

/** The same in steps of powers of two, as bytes are counted. */
export function bytesScale(greatest: number, lines = 4): Scale {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2((greatest > 0 ? greatest : 1) / lines) - 1e-9))
  return upTo(greatest, step)
}

function upTo(greatest: number, step: number): Scale {
  const count = Math.max(1, Math.ceil(greatest / step - 1e-9))
  // A sum of steps would not be round: 0.1 + 0.2.
  const ticks = Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)))
  return { ticks, fraction: (value) => clamp(value / ticks.at(-1)!) }
}

/** Decades around what is to be shown; for latencies, which differ by orders of magnitude. */
export function logScale(least: number, greatest: number): Scale {
  const isThere = least > 0 && Number.isFinite(greatest)
  const low = isThere ? Math.floor(Math.log10(least) + 1e-9) : 0
  const high = Math.max(low + 1, isThere ? Math.ceil(Math.log10(greatest) - 1e-9) : 1)
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => Number((10 ** (low + index)).toPrecision(12)))
  return { ticks, fraction: (value) => (value > 0 ? clamp((Math.log10(value) - low) / (high - low)) : 0) }
}

const MINUTE_MS = 60_000
const TIME_STEPS = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720].map((minutes) => minutes * MINUTE_MS)

/** Round times between two points in time, at most so many; round where the clock is `offsetMs` before UTC. */
export function timeTicks(fromTs: number, toTs: number, most: number, offsetMs: number): number[] {
  const step = TIME_STEPS.find((step) => (toTs - fromTs) / step <= Math.max(1, most)) ?? TIME_STEPS.at(-1)!
  const ticks = []
  for (let ts = Math.ceil((fromTs + offsetMs) / step) * step - offsetMs; ts <= toTs; ts += step) ticks.push(ts)
  return ticks
}
