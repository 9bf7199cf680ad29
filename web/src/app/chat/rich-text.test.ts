import { expect, it } from 'vitest'
import { isEmojiOnly, piecesOf } from './rich-text'

const links = (text: string) => piecesOf(text).flatMap((piece) => (piece.kind === 'link' ? [[piece.text, piece.href]] : []))

it('links are recognised, and end where the address ends', () => {
  expect(links('see https://example.org/a?b=1&c=2#d, please')).toEqual([['https://example.org/a?b=1&c=2#d', 'https://example.org/a?b=1&c=2#d']])
  expect(links('(https://example.org/wiki/Petrel_(bird)).')).toEqual([['https://example.org/wiki/Petrel_(bird)', 'https://example.org/wiki/Petrel_(bird)']])
  expect(links('www.example.org and ada@example.org')).toEqual([
    ['www.example.org', 'https://www.example.org/'],
    ['ada@example.org', 'mailto:ada@example.org'],
  ])
  expect(links('请看https://example.org/路径，谢谢')).toEqual([['https://example.org/路径', 'https://example.org/%E8%B7%AF%E5%BE%84']])
})

it('nothing that runs becomes a link', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'https://', 'http://?']) expect(links(text)).toEqual([])
})

it('every character of the text is in one piece', () => {
  for (const text of ['a https://b.c/d. e', '`x` ```\ny\n``` z', '@ada hi @bo', 'no@', '', '``', 'https://a.b https://c.d']) {
    const joined = piecesOf(text, new Map([['ada', '1']])).map((piece) => piece.text).join('')
    expect(joined).toBe(text.replace(/```\n(y)\n```/, '$1').replace(/`(x)`/, '$1'))
  }
})

it('names are found by what they are called, the longest first', () => {
  const named = new Map([['Ada', '1'], ['Ada Lovelace', '2']])
  expect(piecesOf('hi @Ada Lovelace, and @Ada!', named).filter(({ kind }) => kind === 'name')).toEqual([
    { kind: 'name', text: '@Ada Lovelace', user: '2' },
    { kind: 'name', text: '@Ada', user: '1' },
  ])
})

it('few emoji alone are shown large, words and digits are not', () => {
  expect(['👍', '👩‍👩‍👧‍👦🎉', '🇨🇳'].map(isEmojiOnly)).toEqual([true, true, true])
  expect(['a', '1', '#', '👍👍👍👍', '👍 ok', ''].map(isEmojiOnly)).toEqual([false, false, false, false, false, false])
})
