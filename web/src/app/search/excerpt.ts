/** An excerpt in pieces: what was found, and what stands between. */
import type { Excerpt } from '../../engine/wire/search'

export interface Piece {
  text: string
  isFound: boolean
}

/** Marks that reach beyond the text, or into each other, are cut. */
export function piecesOf({ text, marks = [], cutStart, cutEnd }: Excerpt): Piece[] {
  const pieces: Piece[] = []
  const add = (part: string, isFound: boolean) => part !== '' && pieces.push({ text: part, isFound })
  add(cutStart ? '…' : '', false)
  let at = 0
  for (const { start, length } of marks) {
    const from = Math.max(at, start)
    const to = Math.min(text.length, start + length)
    if (from >= to) continue
    add(text.slice(at, from), false)
    add(text.slice(from, to), true)
    at = to
  }
  add(text.slice(at), false)
  add(cutEnd ? '…' : '', false)
  return pieces
}
