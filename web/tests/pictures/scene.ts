/** People with faces, and what they say to each other. */
import type { Browser } from 'playwright-core'
import type { Caller, ServerApi } from '../e2e/server-api'
import { CHART, face, paint, SEA, type Face } from './paint'

interface Somebody {
  name: string
  displayName: string
  face?: Face
}

const CAST = {
  ada: { name: 'ada.lovelace', displayName: 'Ada Lovelace', face: { skin: '#f2c9ac', hair: '#3b2a24', shirt: '#6a3f6e', back: ['#f6d9c2', '#d99a86'], cut: 'bun' } },
  grace: { name: 'grace_hopper', displayName: 'Grace Hopper', face: { skin: '#f0c5a5', hair: '#c9ced4', shirt: '#1f3558', back: ['#cfe3ee', '#7fa7c4'], cut: 'cap', glasses: true } },
  linus: { name: 'linus', displayName: 'Linus Bergström', face: { skin: '#f3cfb3', hair: '#a8763e', shirt: '#2f6b53', back: ['#d7ead2', '#83b58c'], cut: 'short', beard: true } },
  amelia: { name: 'amelia', displayName: 'Amelia Okafor', face: { skin: '#8a5638', hair: '#1d1512', shirt: '#c7622f', back: ['#fbe0a8', '#e6a64c'], cut: 'curls' } },
  mei: { name: 'mei.lin', displayName: '林梅', face: { skin: '#f1cfae', hair: '#15161c', shirt: '#b23a55', back: ['#fbdfe4', '#e39aa8'], cut: 'long' } },
  chen: { name: 'chen.yu', displayName: '陈宇', face: { skin: '#e8bf98', hair: '#17181d', shirt: '#39506e', back: ['#d9dff2', '#93a3d3'], cut: 'short', glasses: true } },
  priya: { name: 'priya', displayName: 'Priya Raman', face: { skin: '#a9714b', hair: '#1c1310', shirt: '#0f766e', back: ['#cdeee6', '#6fb9ab'], cut: 'long' } },
  sofia: { name: 'sofia.rossi', displayName: 'Sofia Rossi', face: { skin: '#eebf9a', hair: '#5a2f1d', shirt: '#7a4fa3', back: ['#e6dbf5', '#ab8fd3'], cut: 'curls' } },
  kenji: { name: 'kenji', displayName: '健司' },
  noor: { name: 'noor', displayName: 'Noor' },
} satisfies Record<string, Somebody>

export type Cast = Record<keyof typeof CAST, Caller>

export interface Scene {
  cast: Cast
  /** The chat of Ada and Grace, and the group of all. */
  single: string
  group: string
}

export async function setScene(api: ServerApi, browser: Browser): Promise<Scene> {
  const cast = {} as Cast
  for (const [key, somebody] of Object.entries(CAST) as [keyof Cast, Somebody][]) {
    const caller = await api.register(somebody.name)
    const avatar = somebody.face ? await caller.upload('me.jpg', 'image/jpeg', await paint(browser, face(somebody.face), 240, 240)) : undefined
    await caller.ask('PATCH', '/api/users/me', { displayName: somebody.displayName, ...(avatar === undefined ? {} : { avatar }) })
    cast[key] = caller
  }
  const { ada, grace, linus, amelia, mei, chen, priya, sofia, kenji, noor } = cast
  for (const friend of [grace, linus, amelia, mei, chen, priya]) {
    await friend.post(`/api/contacts/${ada.userId}/apply`)
    await ada.post(`/api/contacts/${friend.userId}/accept`)
  }
  await sofia.post(`/api/contacts/${ada.userId}/apply`, { message: 'We met at the lighthouse.' })
  const says = async (from: Caller, to: { to: string } | { groupId: string }, body: string, more: object = {}): Promise<{ serverMsgId: string; conversationId: string; msgSeq: number }> => from.post('/api/messages', { ...to, body, ...more })

  // Those of whom only the last line is seen.
  await says(noor, { to: ada.userId }, 'Thank you so much ❤️')
  await says(ada, { to: kenji.userId }, '灯台で会いましょう')
  await says(kenji, { to: ada.userId }, '了解です！')
  await says(sofia, { to: ada.userId }, 'Ci vediamo al faro 🌊')
  await says(chen, { to: ada.userId }, '明天的评审改到十点，可以吗？')
  await says(ada, { to: chen.userId }, '可以，我把图表也带上。')
  await says(priya, { to: ada.userId }, 'I read the draft. Comments inline, mostly commas.')
  const club = await amelia.post('/api/groups', { title: 'Book club', members: [ada.userId, priya.userId, sofia.userId] })
  await says(amelia, { groupId: club.conversationId }, 'Chapter 12 by next week?')
  await says(priya, { groupId: club.conversationId }, 'I am on chapter 4, be kind.')

  // A group.
  const { conversationId: group } = await ada.post('/api/groups', { title: 'Storm watch', members: [grace, linus, amelia, mei, chen].map(({ userId }) => userId), history: 'all' })
  await ada.ask('PATCH', `/api/groups/${group}`, { avatar: await ada.upload('chart.jpg', 'image/jpeg', await paint(browser, CHART, 240, 240)) })
  const toGroup = { groupId: group }
  const closed = await says(amelia, toGroup, 'Harbour is closed since 14:00. They hope to open it tomorrow at noon.')
  await says(linus, toGroup, 'Wind is picking up: 9 Beaufort at the outer buoy.')
  const safe = await says(ada, toGroup, 'Everybody safe?')
  await says(mei, toGroup, '我们都在室内，没问题 🙏', { replyTo: safe.msgSeq })
  const bird = await says(chen, toGroup, '窗外的海浪真的很大，刚才一只海燕贴着浪尖飞过去了！')
  await says(grace, toGroup, '@Ada Lovelace could you check the tide gauge when you are back?', { mentions: [ada.userId] })
  await ada.post(`/api/messages/${closed.serverMsgId}/pin`)
  for (const [who, what, emoji] of [[ada, bird, '😮'], [linus, bird, '😮'], [grace, bird, '🌊'], [mei, safe, '❤️']] as const) await who.post(`/api/messages/${what.serverMsgId}/reactions`, { emoji, on: true })

  // Two who work together.
  const toGrace = { to: grace.userId }
  const toAda = { to: ada.userId }
  await says(grace, toAda, 'Did the crash test survive the night?')
  await says(ada, toGrace, 'A thousand kills, every acknowledged message still there.')
  const numbers = await says(grace, toAda, 'And the disk? I tried `synchronous=NORMAL` for comparison only: a little quicker, and it loses messages on a power cut, as one would expect.')
  const word = await says(ada, toGrace, 'Then it stays FULL. An ack says what it means.', { replyTo: numbers.msgSeq })
  await says(ada, toGrace, 'The sea this evening', { msgType: 'IMAGE', attachment: { fileId: await ada.upload('sea.jpg', 'image/jpeg', await paint(browser, SEA, 960, 600)) } })
  await says(grace, toAda, 'Beautiful! Is that our bird?')
  await says(ada, toGrace, 'The very one. The tide tables are below, the harbour opens at noon.')
  await says(ada, toGrace, '', { msgType: 'FILE', attachment: { fileId: await ada.upload('Tide tables.csv', 'text/csv', new TextEncoder().encode('day,high,low\n'.repeat(800))) } })
  const last = await says(grace, toAda, 'Perfect, see you there ⚓')
  await grace.post(`/api/messages/${word.serverMsgId}/reactions`, { emoji: '👍', on: true })
  return { cast, single: last.conversationId, group }
}
