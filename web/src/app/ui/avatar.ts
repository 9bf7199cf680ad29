/** The colours and letters of who has no picture: always the same for the same one. */

/** Pairs that are dark enough for white letters. */
const COLOURS = [
  ['#0b7285', '#0a5868'],
  ['#2f6f9f', '#22567d'],
  ['#5661b3', '#424b90'],
  ['#7d55a8', '#623f87'],
  ['#a34d86', '#823a6a'],
  ['#b5485a', '#913544'],
  ['#b0562a', '#8c421d'],
  ['#8f6b16', '#70530e'],
  ['#5b7a23', '#46601a'],
  ['#2d7d57', '#206243'],
  ['#3c7479', '#2b5a5e'],
  ['#66707c', '#4d5660'],
] as const

export function coloursOf(id: string): readonly [string, string] {
  let hash = 2_166_136_261
  for (const character of id) hash = Math.imul(hash ^ character.codePointAt(0)!, 16_777_619)
  return COLOURS[(hash >>> 8) % COLOURS.length]!
}

const IDEOGRAPH = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u

/** One or two letters: initials, or what ends a Chinese name, by which people tell each other apart. */
export function lettersOf(name: string): string {
  const trimmed = name.trim()
  // Of a name that has only been asked for.
  if (trimmed === '…') return ''
  const graphemes = [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(trimmed)].map(({ segment }) => segment)
  if (graphemes.length === 0) return '?'
  if (IDEOGRAPH.test(trimmed)) {
    const ideographs = graphemes.filter((grapheme) => IDEOGRAPH.test(grapheme))
    return ideographs.slice(ideographs.length <= 3 ? -2 : 0).slice(0, 2).join('')
  }
  const words = trimmed.split(/[\s._-]+/u).filter((word) => /^[\p{L}\p{N}]/u.test(word))
  if (words.length === 0) return graphemes[0]!
  const first = [...words[0]!][0]!
  const last = words.length > 1 ? [...words.at(-1)!][0]! : ''
  return (first + last).toLocaleUpperCase()
}
