/**
 * The text of a message in pieces: words, links, code, names. Nothing in it becomes markup: who shows a piece makes an
 * element of it, and links lead to http, https and mailto alone.
 */
export type Piece =
  | { kind: 'words'; text: string }
  | { kind: 'link'; text: string; href: string }
  | { kind: 'code'; text: string }
  | { kind: 'name'; text: string; user: string | undefined }

/** Ends before what usually belongs to the sentence rather than to the address. */
const LINK = /\b(?:https?:\/\/|www\.)[^\s<>"'`，。、；：！？（）【】《》「」]+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b/giu
const TRAILING = /[.,:;!?'"*_~]+$/
const CODE = /```[^\n`]*\n?([\s\S]+?)```|`([^`\n]+)`/g

/** Who is named, by what the text calls them after the `@`. */
export type Named = ReadonlyMap<string, string | undefined>

export function piecesOf(text: string, named: Named = new Map()): Piece[] {
  const pieces: Piece[] = []
  let end = 0
  for (const match of text.matchAll(CODE)) {
    pieces.push(...linked(text.slice(end, match.index), named), { kind: 'code', text: (match[1] ?? match[2]!).replace(/\n$/, '') })
    end = match.index + match[0].length
  }
  pieces.push(...linked(text.slice(end), named))
  return pieces
}

function linked(text: string, named: Named): Piece[] {
  const pieces: Piece[] = []
  let end = 0
  for (const match of text.matchAll(LINK)) {
    const shown = trimmed(match[0])
    const href = hrefOf(shown)
    if (href === undefined) continue
    pieces.push(...withNames(text.slice(end, match.index), named), { kind: 'link', text: shown, href })
    end = match.index + shown.length
  }
  pieces.push(...withNames(text.slice(end), named))
  return pieces
}

/** A closing bracket belongs to an address only if it was opened in it. */
function trimmed(address: string): string {
  let shown = address.replace(TRAILING, '')
  while (shown.endsWith(')') && shown.split('(').length < shown.split(')').length) shown = shown.slice(0, -1).replace(TRAILING, '')
  return shown
}

function hrefOf(shown: string): string | undefined {
  const isAddress = /^[^/\s]+@[^/\s]+$/.test(shown)
  const text = isAddress ? `mailto:${shown}` : /^www\./i.test(shown) ? `https://${shown}` : shown
  try {
    const { protocol, href, hostname } = new URL(text)
    if (protocol === 'mailto:') return href
    return (protocol === 'http:' || protocol === 'https:') && hostname !== '' ? href : undefined
  } catch {
    return undefined
  }
}

function withNames(text: string, named: Named): Piece[] {
  if (text === '') return []
  const names = [...named.keys()].filter((name) => name !== '').sort((one, other) => other.length - one.length)
  if (names.length === 0 || !text.includes('@')) return [{ kind: 'words', text }]
  const pieces: Piece[] = []
  let from = 0
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const name = names.find((candidate) => text.startsWith(candidate, at + 1))
    if (name === undefined) continue
    if (at > from) pieces.push({ kind: 'words', text: text.slice(from, at) })
    pieces.push({ kind: 'name', text: `@${name}`, user: named.get(name) })
    from = at + 1 + name.length
    at = from - 1
  }
  if (from < text.length) pieces.push({ kind: 'words', text: text.slice(from) })
  return pieces
}

/** Up to three emoji and nothing else are shown large. */
export function isEmojiOnly(text: string): boolean {
  const trimmedText = text.trim()
  if (trimmedText.length === 0 || trimmedText.length > 40) return false
  const segments = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(trimmedText)].map(({ segment }) => segment)
  return segments.length <= 3 && segments.every((segment) => /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator})/u.test(segment))
}
