/**
 * A list of rows of any height, of which only those in sight are drawn, and which stays put: whatever is above the first
 * row in sight may come, go or turn out higher than thought, that row does not move. At the end it stays at the end.
 *
 * Rows are as high as they were last measured, or as estimated. Where each begins is kept in one array, which is cheap
 * enough to compute anew for 100,000 rows whenever one of them changes.
 */
import { useEventListener, useResizeObserver } from '@vueuse/core'
import { nextTick, onUnmounted, ref, shallowRef, watch, type Ref } from 'vue'

export interface VirtualListOptions<R> {
  scroller: Ref<HTMLElement | undefined>
  rows: Ref<readonly R[]>
  keyOf: (row: R) => string
  /** How high a row probably is that was never drawn, in pixels. */
  estimate: (row: R, widthPx: number) => number
  /** Rows within so many pixels of the first have come into sight. */
  onNearStart: () => void
  /** What is in sight has changed. */
  onScroll: () => void
}

/** What is drawn beyond the edges, in pixels. */
const BEYOND_PX = 700
/** How near to the first row more is asked for, in pixels. */
const NEAR_PX = 1_600
/** Who is so near to the end is at the end, in pixels. */
const END_PX = 48
/** How often a place is tried again that was not there yet. */
const RETRIES_MAX = 3

interface Anchor {
  key: string
  /** Where its upper edge is, from that of the viewport, in pixels. */
  atPx: number
}

export function useVirtualList<R>({ scroller, rows, keyOf, estimate, onNearStart, onScroll }: VirtualListOptions<R>) {
  const heights = new Map<string, number>()
  const indices = new Map<string, number>()
  let tops = new Float64Array(1)
  let count = 0
  /** The rows that `tops` is about. */
  let placed: readonly R[] = []

  const range = shallowRef({ first: 0, last: 0 })
  const beforePx = ref(0)
  const afterPx = ref(0)
  const isAtEnd = ref(true)

  /** What must not move: the first row in sight, or one that was jumped to until the user scrolls. */
  let anchor: Anchor | undefined
  let isPinned = false
  let widthPx = 0
  let viewportPx = 0
  /** Where the viewport was when that was last looked at. */
  let seenPx = 0
  /** Where it was put. */
  let setPx = -1
  /** Whether it is still to be put where it should be, and how often that was tried. */
  let isRetrying = false
  let retries = 0

  const total = () => tops[count]!

  function layOut(): void {
    placed = rows.value
    count = placed.length
    if (tops.length < count + 1) tops = new Float64Array(Math.ceil((count + 1) * 1.5))
    indices.clear()
    let top = 0
    for (let index = 0; index < count; index += 1) {
      const row = placed[index]!
      const key = keyOf(row)
      indices.set(key, index)
      tops[index] = top
      top += heights.get(key) ?? estimate(row, widthPx)
    }
    tops[count] = top
  }

  /** The row in which a place is. */
  function indexAt(px: number): number {
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (tops[middle]! <= px) low = middle
      else high = middle - 1
    }
    return Math.max(0, low)
  }

  function draw(top: number): void {
    const first = count === 0 ? 0 : indexAt(top - BEYOND_PX)
    const last = count === 0 ? 0 : indexAt(top + viewportPx + BEYOND_PX) + 1
    beforePx.value = tops[first]!
    afterPx.value = total() - tops[last]!
    if (range.value.first !== first || range.value.last !== last) range.value = { first, last }
  }

  /** Where the viewport has to be for what must not move. */
  function targetTop(): number {
    if (isAtEnd.value && !isPinned) return Math.max(0, total() - viewportPx)
    const index = anchor && indices.get(anchor.key)
    if (index === undefined || !anchor) return scroller.value?.scrollTop ?? 0
    return tops[index]! - anchor.atPx
  }

  /** After rows have changed, or their heights. */
  function settle(): void {
    // The user may have scrolled since, without the event having come.
    if (scroller.value && Math.abs(scroller.value.scrollTop - seenPx) >= 1) hold()
    layOut()
    const top = Math.min(Math.max(0, targetTop()), Math.max(0, total() - viewportPx))
    draw(top)
    void nextTick(() => {
      const element = scroller.value
      if (!element) return
      if (Math.abs(element.scrollTop - top) >= 0.5) element.scrollTop = top
      setPx = element.scrollTop
      // What was laid out is not all drawn yet, so the browser does not go there: once more when it is.
      isRetrying = top - setPx > 1 && retries < RETRIES_MAX
      retries = isRetrying ? retries + 1 : 0
      if (isRetrying) {
        seenPx = setPx
        requestAnimationFrame(() => {
          isRetrying = false
          if (scroller.value) settle()
        })
      } else note()
    })
  }

  /** Takes in where the viewport is: from here on, that must not move. */
  function hold(): void {
    const { scrollTop: top, scrollHeight, clientHeight } = scroller.value!
    seenPx = top
    // Rows that turn out lower than thought have moved the end up here before they are measured.
    isAtEnd.value = Math.min(total() - (top + viewportPx), scrollHeight - (top + clientHeight)) < END_PX
    if (isPinned || count === 0) return
    const index = indexAt(top)
    anchor = { key: keyOf(placed[index]!), atPx: tops[index]! - top }
  }

  function note(): void {
    if (!scroller.value) return
    hold()
    if (seenPx < NEAR_PX) onNearStart()
    onScroll()
  }

  useEventListener(scroller, 'scroll', () => {
    if (isRetrying) return
    // Where nobody but the user has put it: from here on the user says what is in sight.
    if (Math.abs(scroller.value!.scrollTop - setPx) > 2) isPinned = false
    draw(scroller.value!.scrollTop)
    note()
  }, { passive: true })

  useResizeObserver(scroller, ([entry]) => {
    const { width, height } = entry!.contentRect
    if (Math.abs(width - widthPx) > 1) heights.clear()
    widthPx = width
    viewportPx = height
    for (const element of scroller.value!.querySelectorAll<HTMLElement>('[data-row]')) heights.set(element.dataset.row!, element.offsetHeight)
    settle()
  })

  watch(rows, settle, { flush: 'pre' })

  const observer = new ResizeObserver((entries) => {
    let isNews = false
    for (const { target, borderBoxSize } of entries) {
      const key = (target as HTMLElement).dataset.row!
      const height = borderBoxSize[0]!.blockSize
      if (!target.isConnected || Math.abs((heights.get(key) ?? -1) - height) < 0.5) continue
      heights.set(key, height)
      isNews = true
    }
    if (isNews) settle()
  })
  onUnmounted(() => observer.disconnect())

  /** For each drawn row, which has its key as `data-row`. */
  const vMeasure = {
    mounted: (element: HTMLElement) => observer.observe(element),
    unmounted: (element: HTMLElement) => observer.unobserve(element),
  }

  function scrollToEnd(): void {
    isPinned = false
    isAtEnd.value = true
    settle()
  }

  /** Brings a row into sight, at a share of the viewport's height. Returns whether there is such a row. */
  function scrollTo(key: string, share = 0.3): boolean {
    // Before the first drawing nothing has a place yet.
    if (placed !== rows.value) layOut()
    if (viewportPx === 0) viewportPx = scroller.value?.clientHeight ?? 0
    const index = indices.get(key)
    if (index === undefined) return false
    isPinned = true
    isAtEnd.value = false
    anchor = { key, atPx: viewportPx * share }
    settle()
    return true
  }

  /** The last row that is in sight as a whole. */
  function lastInSight(): R | undefined {
    const element = scroller.value
    if (!element || count === 0) return undefined
    const bottom = element.scrollTop + viewportPx + 4
    let index = indexAt(bottom)
    while (index > 0 && tops[index + 1]! > bottom) index -= 1
    return placed[index]
  }

  /** Another list is shown: nothing of this one matters any more. */
  function reset(): void {
    heights.clear()
    anchor = undefined
    isPinned = false
    isAtEnd.value = true
  }

  return { range, beforePx, afterPx, isAtEnd, vMeasure, scrollTo, scrollToEnd, lastInSight, reset }
}
