/**
 * What the server's numbers of late are as a grid in time: one place for each step of the whole hour or day, and nothing
 * where there is no number. Nothing is made up: not before the server began, not after it fell silent, and no latency where
 * nothing was measured. Pure.
 */
import type { RecentFigures } from '../admin-api'

export interface Grid {
  /** When the first place is. */
  fromTs: number
  stepMs: number
  /** How many places there are. */
  length: number
  /** The first place for which the server has numbers, and the one after the last. */
  knownFrom: number
  knownTo: number
  /** A number for each place, `NaN` where there is none. */
  series: Record<string, number[]>
}

/** Of so many steps an answer may be late before it shows as a gap. */
const LATE_STEPS = 3

/**
 * @param spanMs what is to be shown, up to the last number
 * @param silentMs for how long the server has not answered; the grid goes on by so much, empty
 * @param measured whether a 0 of this series means that nothing was measured
 */
export function gridOf({ stepMs, endTs, series }: RecentFigures, spanMs: number, silentMs: number, measured: (name: string) => boolean): Grid {
  const length = Math.round(spanMs / stepMs)
  const silent = silentMs > LATE_STEPS * stepMs ? Math.min(length, Math.floor(silentMs / stepMs)) : 0
  const known = Math.max(0, ...Object.values(series).map((numbers) => numbers.length))
  const knownTo = length - silent
  const knownFrom = Math.max(0, knownTo - known)
  const placed = Object.entries(series).map(([name, numbers]) => {
    const places = new Array<number>(length).fill(NaN)
    for (let place = knownTo - 1, index = numbers.length - 1; place >= 0 && index >= 0; place--, index--) {
      const number = numbers[index]!
      places[place] = number === 0 && measured(name) ? NaN : number
    }
    return [name, places] as const
  })
  return { fromTs: endTs + silent * stepMs - (length - 1) * stepMs, stepMs, length, knownFrom, knownTo, series: Object.fromEntries(placed) }
}

/** Stretches without a gap, as the first place and the one after the last. */
export function runsOf(numbers: number[]): [from: number, to: number][] {
  const runs: [number, number][] = []
  let from = -1
  for (let place = 0; place <= numbers.length; place++) {
    const isThere = Number.isFinite(numbers[place])
    if (isThere && from < 0) from = place
    if (!isThere && from >= 0) {
      runs.push([from, place])
      from = -1
    }
  }
  return runs
}

/** A line of SVG through the numbers, broken at gaps. A number on its own is a dot: a stroke of no length, with round ends. */
export function pathOf(numbers: number[], x: (place: number) => number, y: (value: number) => number): string {
  const point = (place: number) => `${x(place).toFixed(1)} ${y(numbers[place]!).toFixed(1)}`
  return runsOf(numbers)
    .map(([from, to]) => {
      if (to - from === 1) return `M${point(from)}h0`
      const points = []
      for (let place = from; place < to; place++) points.push(point(place))
      return `M${points.join('L')}`
    })
    .join('')
}

/** The greatest and the least of all numbers that are there; NaN if there are none. */
export function extentOf(all: number[][]): { least: number; greatest: number } {
  let least = Infinity
  let greatest = -Infinity
  for (const numbers of all) {
    for (const number of numbers) {
      if (!Number.isFinite(number)) continue
      if (number < least) least = number
      if (number > greatest) greatest = number
    }
  }
  return greatest === -Infinity ? { least: NaN, greatest: NaN } : { least, greatest }
}
