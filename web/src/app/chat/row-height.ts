import type { Row } from './rows'

/** How wide a bubble gets, as a share of the list and at most, in pixels. */
const BUBBLE_SHARE = 0.72
const BUBBLE_MAX_PX = 600
const LINE_PX = 22

/** How high a row probably is, so that the scrollbar is about right before anything is drawn. */
export function estimateOf(row: Row, widthPx: number): number {
  if (row.kind === 'start' || row.kind === 'gap') return 72
  const divider = (row.beginsDay ? 48 : 0) + (row.beginsUnread ? 40 : 0)
  if (row.kind === 'notice') return divider + 34
  const bubblePx = Math.min(widthPx * BUBBLE_SHARE, BUBBLE_MAX_PX) - 24
  const { attachment, location, replyTo } = row.content
  let extra = (location || (attachment && !attachment.width) ? 52 : 0) + (replyTo ? 52 : 0)
  if (attachment?.width && attachment.height) extra += attachment.height * Math.min(1, 360 / attachment.width, 360 / attachment.height)
  let lines = 0
  for (const line of row.text.split('\n')) lines += Math.max(1, Math.ceil((lengthOf(line) * 7.4) / Math.max(120, bubblePx)))
  return divider + extra + 16 + lines * LINE_PX + (row.isFirst ? 8 : 2)
}

/** Ideographs are twice as wide as letters. */
function lengthOf(line: string): number {
  let length = line.length
  for (let index = 0; index < line.length; index += 1) if (line.charCodeAt(index) > 0x2e80) length += 1
  return length
}
