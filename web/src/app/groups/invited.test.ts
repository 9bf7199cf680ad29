import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { ConversationView } from '../../engine'
import { loadLocale } from '../i18n'
import { useMessenger } from '../stores/messenger'
import { useToasts } from '../stores/toasts'
import { tellWhoIsInvited } from './invited'

beforeEach(async () => {
  await loadLocale('en')
  vi.useFakeTimers()
  setActivePinia(createPinia())
  localStorage.clear()
})
afterEach(() => vi.useRealTimers())

const texts = () => useToasts().toasts.map(({ text }) => text)

/** The group as of an event, with these members. */
function know(asOfSeq: number, ...members: string[]): void {
  const group = { asOfSeq, title: 'Harbour watch', history: 'joined', info: {}, members: Object.fromEntries(members.map((user) => [user, { role: 'member' }])) }
  useMessenger().conversations.set('81', { conversationId: '81', kind: 'group', group } as unknown as ConversationView)
}

it('who came in is added, and who did not is invited, once the event is here', async () => {
  know(4, '7')
  const told = tellWhoIsInvited('81', 5, ['8', '9'], 'Added')
  await vi.advanceTimersByTimeAsync(100)
  expect(texts()).toEqual([])
  know(5, '7', '8')
  await told
  expect(texts()).toEqual(['Added', 'User 9 is invited, and decides whether to come in'])
})

it('nobody is said to be added where all are invited, nor invited where all came in', async () => {
  know(5, '7')
  await tellWhoIsInvited('81', 5, ['8', '9'], 'Added')
  expect(texts()).toEqual(['User 8, User 9 are invited, and decide whether to come in'])
  know(6, '7', '8')
  await tellWhoIsInvited('81', 6, ['8'], 'Added')
  expect(texts().at(-1)).toBe('Added')
  expect(texts()).toHaveLength(2)
})

it('nobody is said to be invited as long as that is not known', async () => {
  know(4, '7')
  const told = tellWhoIsInvited('81', 5, ['8'])
  await vi.advanceTimersByTimeAsync(10_000)
  await told
  expect(texts()).toEqual([])
})
