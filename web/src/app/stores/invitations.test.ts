import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Invitation } from '../../engine/wire/protocol'
import { useContacts } from './contacts'
import { useGroups } from './groups'
import { useInvitations } from './invitations'
import { useMessenger } from './messenger'
import { useSession } from './session'

const HOUR_MS = 3_600_000
let asked: { path: string; body: Record<string, unknown> }[]
let answer: object

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_000_000 })
  setActivePinia(createPinia())
  localStorage.clear()
  localStorage.setItem('petrel.account', JSON.stringify({ userId: '7', username: 'ada' }))
  asked = []
  answer = {}
  vi.stubGlobal('fetch', async (path: string, { body }: { body?: string } = {}) => {
    if (path === '/api/auth/refresh') return Response.json({ code: 0, data: { userId: '7', username: 'ada', accessToken: 'token', expiresIn: 900_000 } })
    asked.push({ path, body: JSON.parse(body ?? '{}') as Record<string, unknown> })
    return Response.json({ code: 0, message: 'ok', data: answer })
  })
  await useSession().restore()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const invitation = (groupId: string, ts: number, lastsMs = HOUR_MS): Invitation => ({ groupId, title: 'Harbour watch', by: '8', ts, expiresTs: 1_000_000 + lastsMs })

it('invitations are counted with the applications, newest first, until they are over', async () => {
  const invitations = useInvitations()
  const contacts = useContacts()
  expect([invitations.waiting(Date.now()), contacts.waiting]).toEqual([[], 0])
  const application = { direction: 'incoming' as const, ts: 1, expiresTs: 1_000_000 + HOUR_MS }
  useMessenger().personal = {
    contacts: { '9': { user: '9', application } },
    invitations: { '81': invitation('81', 1), '82': invitation('82', 2, 45_000) },
  }
  expect(invitations.waiting(Date.now()).map(({ groupId }) => groupId)).toEqual(['82', '81'])
  expect(contacts.waiting).toBe(3)
  // Nobody tells that one is over, and the number is right all the same.
  await vi.advanceTimersByTimeAsync(60_000)
  expect(invitations.waiting(Date.now()).map(({ groupId }) => groupId)).toEqual(['81'])
  expect(contacts.waiting).toBe(2)
})

it('an answer names the group and says whether the user comes in', async () => {
  const invitations = useInvitations()
  await invitations.answer('81', true)
  await invitations.answer('82', false)
  expect(asked).toMatchObject([{ path: '/api/invitations/81', body: { accept: true } }, { path: '/api/invitations/82', body: { accept: false } }])
  expect(asked[0]!.body.clientMsgId).not.toBe(asked[1]!.body.clientMsgId)
})

it('whoever joins a group by its code learns which it is, and whoever has to wait does not', async () => {
  answer = { groupId: '81' }
  expect(await useGroups().join('K7Q2-M9XW-RT4B', '')).toBe('81')
  answer = {}
  expect(await useGroups().join('K7Q2-M9XW-RT4B', 'Ada')).toBeUndefined()
  expect(asked.map(({ body }) => body.message)).toEqual([undefined, 'Ada'])
})
