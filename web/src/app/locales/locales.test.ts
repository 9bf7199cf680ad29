import { expect, it } from 'vitest'
import adminEn from '../admin/locales/en'
import adminZh from '../admin/locales/zh'
import callsEn from '../calls/locales/en'
import callsZh from '../calls/locales/zh'
import enTexts from './en'
import zhTexts from './zh'

const en = { ...enTexts, admin: adminEn, calls: callsEn }
const zh = { ...zhTexts, admin: adminZh, calls: callsZh }

/** Every text, by its path. */
function textsOf(messages: object, path = ''): Map<string, string> {
  const texts = new Map<string, string>()
  for (const [key, value] of Object.entries(messages)) {
    if (typeof value === 'string') texts.set(`${path}${key}`, value)
    else for (const [name, text] of textsOf(value, `${path}${key}.`)) texts.set(name, text)
  }
  return texts
}

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

it('both languages have the same keys', () => {
  expect([...textsOf(zh).keys()].sort()).toEqual([...textsOf(en).keys()].sort())
})

it('no text is empty, and both languages put the same things into it', () => {
  const chinese = textsOf(zh)
  const differing = [...textsOf(en)].filter(([key, text]) => {
    const other = chinese.get(key) ?? ''
    return text === '' || other === '' || placeholders(text.split('|').at(-1)!).join() !== placeholders(other.split('|').at(-1)!).join()
  })
  expect(differing).toEqual([])
})
