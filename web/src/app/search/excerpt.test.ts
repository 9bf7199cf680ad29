import { expect, it } from 'vitest'
import { piecesOf } from './excerpt'

const drawn = (excerpt: Parameters<typeof piecesOf>[0]) => piecesOf(excerpt).map(({ text, isFound }) => (isFound ? `[${text}]` : text)).join('')

it('marks what was found, counted in UTF-16', () => {
  expect(drawn({ text: 'Who is at the harbour?', marks: [{ start: 14, length: 7 }] })).toBe('Who is at the [harbour]?')
  expect(drawn({ text: '🌊天气很好', marks: [{ start: 2, length: 2 }], cutStart: true, cutEnd: true })).toBe('…🌊[天气]很好…')
})

it('keeps the text whole whatever the marks are', () => {
  const text = 'abcdef'
  for (const marks of [[{ start: 4, length: 9 }], [{ start: 0, length: 3 }, { start: 2, length: 2 }], [{ start: 9, length: 2 }], [{ start: 2, length: 0 }]]) {
    expect(piecesOf({ text, marks }).map((piece) => piece.text).join('')).toBe(text)
  }
  expect(drawn({ text, marks: [{ start: 0, length: 3 }, { start: 2, length: 2 }] })).toBe('[abc][d]ef')
})
