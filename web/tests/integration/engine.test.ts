/** The engine against the real server, over real sockets. */
import { expect, it } from 'vitest'
import type { Person } from './person'
import { useScene } from './scene'

const scene = useScene()
const { register, anotherDevice, adopt, cable } = scene

const numbered = (word: string, count: number) => Array.from({ length: count }, (_, index) => `${word} ${index}`)

it('two people chat, and see what is delivered, read, edited and recalled', async () => {
  const ada = await register()
  const bob = await register()
  ada.say(bob.userId, 'The storm is over.')
  const chat = await bob.chatWith(ada.userId)
  await bob.sees('the message', () => bob.bodies(chat).length === 1)
  await bob.sees('one unread', ({ conversations }) => conversations.get(chat)?.unread === 1)
  await ada.chatWith(bob.userId)
  await ada.sees('delivered', ({ conversations }) => conversations.get(chat)?.peerCursors.delivered === 1)
  bob.engine.markRead(chat, 1)
  await ada.sees('read', ({ conversations }) => conversations.get(chat)?.peerCursors.read === 1)
  expect(bob.view.conversations.get(chat)?.unread).toBe(0)
  ada.engine.send({ type: 'MESSAGE_EDIT', conversationId: chat, msgSeq: 1, body: 'The storm is over!' })
  await bob.sees('the edit', () => bob.bodies(chat)[0] === 'The storm is over!')
  ada.engine.send({ type: 'MESSAGE_REVOKE', conversationId: chat, msgSeq: 1 })
  await bob.sees('the recall', () => bob.bodies(chat)[0] === '')
  await ada.allSaved()
  // Who sent a change needs no fallback for it.
  const shown = (person: Person) => person.events(chat).map((event) => ({ ...event, what: { ...event.what, fallback: '' } }))
  expect(shown(ada)).toEqual(shown(bob))
})

it('another device catches up, and its reading is seen on the first', async () => {
  const ada = await register()
  const bob = await register()
  for (const body of numbered('message', 120)) ada.say(bob.userId, body)
  await ada.allSaved()
  const laptop = await anotherDevice(bob.name)
  const chat = await laptop.chatWith(ada.userId)
  await laptop.sees('the end', () => laptop.bodies(chat).at(-1) === 'message 119')
  expect(laptop.view.conversations.get(chat)?.unread).toBe(120)
  while (laptop.bodies(chat).length < 120) {
    const before = laptop.bodies(chat).length
    laptop.engine.loadOlder(chat)
    await laptop.sees('older messages', () => laptop.bodies(chat).length > before)
  }
  expect(laptop.bodies(chat)).toEqual(numbered('message', 120))
  laptop.engine.markRead(chat, 100)
  await bob.chatWith(ada.userId)
  await bob.sees('what was read elsewhere', ({ conversations }) => conversations.get(chat)?.unread === 20)
})

it('groups: founded, joined, renamed, left; whoever joins later sees what is theirs', async () => {
  const ada = await register()
  const bob = await register()
  const cem = await register()
  ada.engine.send({ type: 'GROUP_CREATE', title: 'Harbour', members: [bob.userId], history: 'joined' })
  const group = await bob.sees('the group', ({ conversations }) => [...conversations.values()].find(({ title }) => title === 'Harbour'))
  const groupId = group.conversationId
  bob.engine.open(groupId)
  await ada.sees('it, too', ({ conversations }) => conversations.has(groupId))
  ada.engine.open(groupId)
  bob.engine.send({ type: 'GROUP_CHAT', groupId, body: 'before' })
  await ada.sees('before', () => ada.bodies(groupId).includes('before'))
  ada.engine.send({ type: 'GROUP_ADD', groupId, members: [cem.userId] })
  ada.engine.send({ type: 'GROUP_TITLE', groupId, title: 'Harbour watch' })
  ada.engine.send({ type: 'GROUP_CHAT', groupId, body: 'after' })
  await cem.sees('the group', ({ conversations }) => conversations.has(groupId))
  cem.engine.open(groupId)
  await cem.sees('after', () => cem.bodies(groupId).includes('after'))
  expect(cem.bodies(groupId)).toEqual(['after'])
  const members = { [ada.userId]: 'owner', [bob.userId]: 'member', [cem.userId]: 'member' }
  for (const person of [ada, bob, cem]) {
    await person.sees('the members', ({ conversations }) => {
      const { group: state, title } = conversations.get(groupId) ?? {}
      return title === 'Harbour watch' && JSON.stringify(Object.entries(state?.members ?? {}).map(([user, { role }]) => [user, role]).sort()) === JSON.stringify(Object.entries(members).sort())
    })
  }
  bob.engine.send({ type: 'GROUP_LEAVE', groupId })
  await bob.sees('that it left', ({ conversations }) => conversations.get(groupId)?.present === false)
  await ada.sees('that bob left', ({ conversations }) => conversations.get(groupId)?.memberCount === 2)
  bob.engine.send({ type: 'GROUP_CHAT', groupId, body: 'from outside' })
  const refused = await bob.sees('a refusal', ({ outbox }) => [...outbox.values()].find(({ state }) => state === 'refused'))
  expect(refused.error?.reason).toBe('conversation_not_found')
})

it('contacts: applied for, accepted, named, blocked; another device has them, too', async () => {
  const ada = await register()
  const bob = await register()
  const contactOf = (person: Person, other: Person) => person.view.personal?.contacts?.[other.userId]
  ada.engine.send({ type: 'CONTACT', user: bob.userId, action: 'apply', message: 'from the harbour' })
  await ada.allSaved()
  await bob.sees('the application', () => contactOf(bob, ada)?.application?.direction === 'incoming')
  expect(contactOf(bob, ada)?.application?.message).toBe('from the harbour')
  bob.engine.send({ type: 'CONTACT', user: ada.userId, action: 'accept' })
  await ada.sees('the friend', () => contactOf(ada, bob)?.friendSinceTs)
  ada.engine.send({ type: 'CONTACT', user: bob.userId, action: 'remark', remark: 'Bo' })
  await ada.sees('the remark', () => contactOf(ada, bob)?.remark === 'Bo')
  const laptop = await anotherDevice(ada.name)
  await laptop.online()
  await laptop.sees('the friend', () => contactOf(laptop, bob))
  expect(laptop.view.personal).toEqual(ada.view.personal)
  bob.engine.send({ type: 'CONTACT', user: ada.userId, action: 'block' })
  await bob.allSaved()
  ada.say(bob.userId, 'are you there?')
  const refused = await ada.sees('a refusal', ({ outbox }) => [...outbox.values()].find(({ state }) => state === 'refused'))
  expect(refused.error?.reason).toBe('not_reachable')
})

it('groups: settings, requests to join, names and mentions', async () => {
  const ada = await register()
  const bob = await register()
  ada.engine.send({ type: 'GROUP_CREATE', title: 'Quay', members: [], history: 'joined' })
  const { conversationId: groupId } = await ada.sees('the group', ({ conversations }) => [...conversations.values()].find(({ title }) => title === 'Quay'))
  ada.engine.open(groupId)
  ada.engine.send({ type: 'GROUP_SETTINGS', groupId, joining: 'approval', announcement: 'No sailing today' })
  const groupOf = (person: Person) => person.view.conversations.get(groupId)
  const code = await ada.sees('the code', () => groupOf(ada)?.group?.info.code)
  bob.engine.send({ type: 'GROUP_JOIN', code, message: 'Bob' })
  await bob.allSaved()
  await ada.sees('the request and what it says', () => groupOf(ada)?.requests?.[bob.userId]?.message === 'Bob')
  ada.engine.send({ type: 'GROUP_ANSWER', groupId, user: bob.userId, accept: true })
  await bob.sees('the group', () => groupOf(bob)?.title === 'Quay')
  await ada.sees('no request', () => Object.keys(groupOf(ada)?.requests ?? { none: {} }).length === 0)
  ada.engine.send({ type: 'GROUP_CHAT', groupId, body: 'Welcome', mentions: [bob.userId] })
  await bob.sees('that it is named', () => groupOf(bob)?.unreadMentions === 1)
  bob.engine.open(groupId)
  bob.engine.send({ type: 'GROUP_MEMBER', groupId, user: bob.userId, nickname: 'Bo' })
  for (const person of [ada, bob]) {
    await person.sees('the name', () => groupOf(person)?.group?.members[bob.userId]?.nickname === 'Bo')
    expect(groupOf(person)?.group?.info).toEqual({ announcement: 'No sailing today', joining: 'approval', code })
  }
  const laptop = await anotherDevice(bob.name)
  await laptop.sees('that it is named', () => groupOf(laptop)?.unreadMentions === 1)
  bob.engine.markRead(groupId, bob.events(groupId).at(-1)!.seq)
  await laptop.sees('that it was read', () => groupOf(laptop)?.unreadMentions === 0)
})

it('a network that is cut again and again loses nothing and doubles nothing', async () => {
  const line = await cable()
  const ada = await register(line.port)
  const bob = await register()
  const bodies = numbered('message', 60)
  for (const [index, body] of bodies.entries()) {
    ada.say(bob.userId, body)
    if (index % 10 !== 5) continue
    line.cut()
    await ada.sees('that it is offline', ({ status }) => status.kind === 'offline')
    line.mend()
    await ada.online()
  }
  await ada.allSaved()
  const chat = await bob.chatWith(ada.userId)
  await bob.sees('all', () => bob.bodies(chat).length >= 60)
  expect(bob.bodies(chat)).toEqual(bodies)
  await ada.chatWith(bob.userId)
  expect(ada.bodies(chat)).toEqual(bodies)
})

it('messages of a reload while offline are sent once, in order', async () => {
  const line = await cable()
  const ada = await register(line.port)
  const bob = await register()
  ada.say(bob.userId, 'first')
  await ada.allSaved()
  line.cut()
  await ada.sees('that it is offline', ({ status }) => status.kind === 'offline')
  for (const body of numbered('offline', 5)) ada.say(bob.userId, body)
  await ada.engine.written()
  line.mend()
  const again = await ada.reload()
  adopt(again)
  await again.allSaved()
  const chat = await bob.chatWith(ada.userId)
  await bob.sees('all', () => bob.bodies(chat).length >= 6)
  expect(bob.bodies(chat)).toEqual(['first', ...numbered('offline', 5)])
})

it('a server that is killed in mid-conversation loses nothing and doubles nothing', async () => {
  const ada = await register()
  const bob = await register()
  const sent = { ada: numbered('ada', 90), bob: numbered('bob', 90) }
  for (let round = 0; round < 3; round += 1) {
    for (let index = round * 30; index < (round + 1) * 30; index += 1) {
      ada.say(bob.userId, sent.ada[index]!)
      bob.say(ada.userId, sent.bob[index]!)
    }
    // Some are acked by now, some are under way, some have not left.
    await ada.sees('some acks', ({ outbox }) => outbox.size < 25)
    await scene.server.kill()
    await ada.sees('that the server is gone', ({ status }) => status.kind === 'offline')
    await scene.server.run()
    await Promise.all([ada.online(), bob.online()])
  }
  await Promise.all([ada.allSaved(), bob.allSaved()])
  const chat = await ada.chatWith(bob.userId)
  await bob.chatWith(ada.userId)
  for (const person of [ada, bob]) {
    await person.sees('all', () => person.bodies(chat).length >= 180)
    const bodies = person.bodies(chat)
    expect(bodies.filter((body) => body.startsWith('ada'))).toEqual(sent.ada)
    expect(bodies.filter((body) => body.startsWith('bob'))).toEqual(sent.bob)
  }
  expect(ada.events(chat)).toEqual(bob.events(chat))
})

it('a log-in that is ended elsewhere signs this device out, and says so', async () => {
  const ada = await register()
  const laptop = await anotherDevice(ada.name)
  await laptop.online()
  await laptop.account.logout()
  await laptop.sees('that it is signed out', ({ status }) => status.kind === 'signedOut')
  expect(laptop.view.status).toEqual({ kind: 'signedOut', reason: 'revoked' })
  expect(ada.view.status.kind).toBe('online')
})

it('the same device elsewhere takes the place of this one, which does not fight for it', async () => {
  const ada = await register()
  const again = await anotherDevice(ada.name, 1)
  await again.online()
  await ada.sees('that it was replaced', ({ status }) => status.kind === 'halted')
  expect(ada.view.status).toEqual({ kind: 'halted', reason: 'replaced' })
  expect(again.view.status.kind).toBe('online')
})
