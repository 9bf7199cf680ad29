import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { loadLocale } from '../i18n'
import { useMessenger } from './messenger'
import { usePeople, type Person } from './people'
import { useSession } from './session'

const HOUR_MS = 3_600_000
let users: Person[]
let asked: URL[]

beforeEach(async () => {
  await loadLocale('en')
  vi.useFakeTimers({ now: 1_000_000 })
  setActivePinia(createPinia())
  localStorage.clear()
  localStorage.setItem('petrel.account', JSON.stringify({ userId: '7', username: 'ada' }))
  users = []
  asked = []
  vi.stubGlobal('fetch', async (path: string) => {
    if (path === '/api/auth/refresh') return Response.json({ code: 0, data: { userId: '7', username: 'ada', accessToken: 'token', expiresIn: 900_000 } })
    const url = new URL(path, 'http://petrel')
    asked.push(url)
    const ids = url.searchParams.get('ids')!.split(',')
    return Response.json({ code: 0, message: 'ok', data: { users: users.filter(({ userId }) => ids.includes(userId)) } })
  })
  await useSession().restore()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const avatar = (fileId: string, lastsMs = HOUR_MS) => ({ fileId, url: `/files/${fileId}/thumbnail`, expiresTs: Date.now() + lastsMs })
const settle = () => vi.advanceTimersByTimeAsync(50)

it('somebody is called by the display name, and told apart by the user name', async () => {
  users = [{ userId: '8', username: 'bob', displayName: 'Robert', avatar: avatar('3') }]
  const people = usePeople()
  expect([people.name('8') === 'Robert', people.picture('8')]).toEqual([false, undefined])
  await settle()
  expect([people.name('8'), people.username('8'), people.picture('8')]).toEqual(['Robert', 'bob', '/files/3/thumbnail'])
  users = [{ userId: '9', username: 'cem' }]
  people.name('9')
  await settle()
  expect([people.name('9'), people.username('9'), people.picture('9')]).toEqual(['cem', undefined, undefined])
})

it('until the server has answered nobody is called by a number, and then whom it does not tell', async () => {
  users = [{ userId: '8', username: 'bob' }]
  const people = usePeople()
  const all = () => ['8', '9', '0'].map((id) => people.name(id))
  expect(all()).toEqual(['…', '…', 'User 0'])
  expect(people.nameNow('8'), 'what is not written anew').toBe('User 8')
  await settle()
  expect(all()).toEqual(['bob', 'User 9', 'User 0'])
  vi.stubGlobal('fetch', () => Promise.reject(new Error('no network')))
  expect(people.name('10')).toBe('…')
  await settle()
  expect(people.name('10')).toBe('User 10')
})

it('what was told is believed for some minutes, and a link as long as it is good', async () => {
  users = [{ userId: '8', username: 'bob', avatar: avatar('3', 200_000) }]
  const people = usePeople()
  people.picture('8', '55')
  await settle()
  vi.setSystemTime(Date.now() + 190_000)
  expect(people.picture('8')).toBe('/files/3/thumbnail')
  vi.setSystemTime(Date.now() + 10_000)
  expect(people.picture('8'), 'the link is over').toBeUndefined()
  await settle()
  expect(asked).toHaveLength(1)
  vi.setSystemTime(Date.now() + 100_000)
  users = [{ userId: '8', username: 'bob', avatar: avatar('4') }]
  people.picture('8')
  await settle()
  expect(people.picture('8')).toBe('/files/4/thumbnail')
  // By the conversation in which they met, as before.
  expect(asked.map(({ searchParams }) => searchParams.get('conversationId'))).toEqual(['55', '55'])
})

it('a picture that is not there any more is asked for again, and not without end', async () => {
  users = [{ userId: '8', username: 'bob', avatar: avatar('3') }]
  const people = usePeople()
  people.picture('8')
  await settle()
  people.askAgain('8')
  await settle()
  expect(asked, 'it was told just now').toHaveLength(1)
  vi.setSystemTime(Date.now() + 61_000)
  users = [{ userId: '8', username: 'bob' }]
  people.askAgain('8')
  people.askAgain('8')
  await settle()
  expect(asked).toHaveLength(2)
  expect(people.picture('8')).toBeUndefined()
})

it('ones own name and picture follow what any of ones devices has changed', async () => {
  const people = usePeople()
  const messenger = useMessenger()
  expect(people.name('7')).toBe('ada')
  users = [{ userId: '7', username: 'ada', displayName: 'Ada', avatar: avatar('5') }]
  messenger.personal = { settings: { findable: true, displayName: 'Ada', avatar: '5' } }
  await settle()
  expect([people.name('7'), people.username('7'), people.picture('7')]).toEqual(['Ada', 'ada', '/files/5/thumbnail'])
  users = [{ userId: '7', username: 'ada' }]
  messenger.personal = { settings: { findable: true } }
  await settle()
  expect([people.name('7'), people.picture('7')]).toEqual(['ada', undefined])
})
