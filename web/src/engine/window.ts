/** Searching a list of events that is in order of their seqs. */

/** The index of the first event at or after a seq; the length if there is none. */
export function indexFrom(events: readonly { seq: number }[], seq: number): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (events[middle]!.seq < seq) low = middle + 1
    else high = middle
  }
  return low
}
