/**
 * The engine against a model server under random faults: connections cut, frames dropped,
 * doubled and exchanged, processes killed, refusals, timeouts, restored backups.
 *
 * In the end every device has what the server has, nothing sent is lost or doubled, and the
 * order of each sender is kept.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { TimelineEvent } from './event'
import type { ModelConversation } from './testing/model-store'
import { World, type TestDevice } from './testing/world'
import { settled } from './testing/clock'

const USERS = ['9001', '9002', '9003', '9004']
const DEVICES = [
  ['phone', '9001'],
  ['laptop', '9001'],
  ['desktop', '9002'],
  ['tablet', '9003'],
] as const

const KINDS = [
  'say', 'say', 'say', 'sayGroup', 'sayGroup', 'edit', 'recall', 'found', 'add', 'remove', 'leave',
  'role', 'title', 'flow', 'flow', 'flow', 'quiet', 'quiet', 'cut', 'crash', 'busy', 'timeout', 'drop',
  'settings', 'member', 'ask', 'ask', 'answer', 'contact', 'contact', 'contact',
  'double', 'exchange', 'time', 'read', 'restore', 'scroll', 'trim', 'hide', 'hide',
] as const

interface Move {
  kind: (typeof KINDS)[number]
  device: number
  one: number
  other: number
}

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom(...KINDS),
  device: fc.nat(DEVICES.length - 1),
  one: fc.nat(1_000),
  other: fc.nat(1_000),
})

function pick<T>(all: readonly T[], number: number): T | undefined {
  return all[number % Math.max(1, all.length)]
}

function take(world: World, device: TestDevice, { kind, one, other }: Move): void | Promise<void> {
  const { engine, view, network } = device
  const conversations = [...view.conversations.values()]
  const group = pick(conversations.filter((known) => known.kind === 'group'), one)
  const user = USERS[other % USERS.length]!
  const groupId = group?.conversationId ?? ''
  switch (kind) {
    case 'say':
      if (user !== device.user) {
        device.send({ type: 'SINGLE_CHAT', to: user, body: `b${device.sent.length}` }, `user ${user}`)
      }
      return
    case 'sayGroup':
      if (group?.present === true) device.send({ type: 'GROUP_CHAT', groupId, body: `g${device.sent.length}`, mentions: [user] }, groupId)
      return
    case 'edit':
    case 'recall': {
      const conversation = pick(conversations, one)
      const events = view.timelines.get(conversation?.conversationId ?? '')?.events ?? []
      const mine = events.filter((event) => event.from === device.user && event.what.kind === 'message')
      const target = pick(mine, other)
      if (!target) return
      const place = { conversationId: target.conversationId, msgSeq: target.seq }
      if (kind === 'edit') engine.send({ type: 'MESSAGE_EDIT', ...place, body: `e${one}-${other}` })
      else engine.send({ type: 'MESSAGE_REVOKE', ...place })
      return
    }
    case 'found': {
      const members = USERS.filter((_, index) => ((one >> index) & 1) === 1)
      device.sent.push({
        clientMsgId: engine.send({ type: 'GROUP_CREATE', title: `t${one}`, members, history: 'joined' }),
        lane: `new ${device.name} ${device.sent.length}`,
      })
      return
    }
    case 'add':
      if (group) engine.send({ type: 'GROUP_ADD', groupId, members: [user] })
      return
    case 'remove':
      if (group) engine.send({ type: 'GROUP_REMOVE', groupId, members: [user] })
      return
    case 'leave':
      if (group) engine.send({ type: 'GROUP_LEAVE', groupId })
      return
    case 'role':
      if (group) {
        const role = (['member', 'admin', 'owner'] as const)[one % 3]!
        engine.send({ type: 'GROUP_ROLE', groupId, user, role })
      }
      return
    case 'title':
      if (group) engine.send({ type: 'GROUP_TITLE', groupId, title: `t${other}` })
      return
    case 'settings':
      if (group) {
        const joining = (['closed', 'approval', 'open'] as const)[other % 3]!
        engine.send({ type: 'GROUP_SETTINGS', groupId, joining, announcement: `a${other}`, muted: false })
      }
      return
    case 'member':
      if (group) engine.send({ type: 'GROUP_MEMBER', groupId, user, nickname: `n${other}` })
      return
    case 'ask': {
      const open = [...world.server.conversations.values()].flatMap(({ info }) => (info.code as string | undefined) ?? [])
      const code = pick(open, one)
      if (code !== undefined) engine.send({ type: 'GROUP_JOIN', code, message: `m${other}` })
      return
    }
    case 'answer': {
      const waiting = Object.keys(group?.requests ?? {})[0]
      if (waiting !== undefined) engine.send({ type: 'GROUP_ANSWER', groupId, user: waiting, accept: other % 2 === 0 })
      return
    }
    case 'contact': {
      const action = (['apply', 'apply', 'accept', 'reject', 'withdraw', 'remove', 'remark', 'block', 'unblock'] as const)[one % 9]!
      if (user !== device.user) engine.send({ type: 'CONTACT', user, action, ...(action === 'remark' ? { remark: `r${one}` } : {}) })
      return
    }
    case 'flow':
      for (let step = 0; step < 1 + (one % 12); step += 1) network.line?.forward(other & (1 << step % 10) ? 'up' : 'down')
      return settled()
    case 'quiet':
      return one % 3 === 0 ? flowAll(world, world.devices) : flowAll(world, [device])
    case 'cut':
      network.line?.cut()
      return
    case 'crash':
      device.crash()
      return device.start()
    case 'busy':
      world.server.nextRefusals.push('server_busy')
      return
    case 'timeout':
      world.server.nextRefusals.push('timeout')
      return
    case 'drop':
      world.server.dropPushes += 1 + (one % 3)
      return
    case 'double':
      world.server.duplicatePushes += 1 + (one % 3)
      return
    case 'exchange':
      network.line?.reorder(one)
      return
    case 'time':
      return world.clock.pass(one * 10)
    case 'read': {
      const conversation = pick(conversations, one)
      if (conversation) engine.markRead(conversation.conversationId, 1 + (other % 40))
      return
    }
    case 'restore':
      if (one % 8 === 0) world.server.restore(other % 3)
      return
    case 'scroll': {
      const conversation = pick(conversations, one)
      if (conversation) engine.loadOlder(conversation.conversationId)
      return
    }
    case 'hide': {
      const conversation = pick([...world.server.conversations.values()].filter(({ kind, intervals }) => kind !== 'personal' && intervals.has(device.user)), one)
      const seqs = conversation ? world.server.visible(conversation, device.user).flatMap(({ seq, body }) => (body === undefined ? [] : [seq])) : []
      const seq = pick(seqs, other)
      if (conversation && seq !== undefined) world.server.hide(device.user, conversation, [seq])
      return
    }
    case 'trim': {
      const conversation = pick([...world.server.conversations.values()], one)
      if (conversation && other % 2 === 0) {
        const last = conversation.events.length
        conversation.trimmedBefore = Math.max(conversation.trimmedBefore, last - (other % 5))
      }
    }
  }
}

/** Everything that is on its way to and from some devices arrives, and a little time passes. */
async function flowAll(world: World, devices: TestDevice[]): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    for (const { network } of devices) {
      while (network.line?.forward('up') === true);
      while (network.line?.forward('down') === true);
    }
    await settled()
  }
  await world.clock.pass(120)
  for (const { network } of devices) while (network.line?.forward('up') === true);
}

/** What the server says that a user sees, in the form in which devices hold it. */
function truth(world: World, conversation: ModelConversation, user: string, from: number) {
  return world.server
    .visible(conversation, user)
    .filter(({ seq }) => seq >= from)
    .map(({ seq, row, body, rev, recalled, change }) =>
      change
        ? { seq, row: String(row), kind: change.kind as string, rev: 0 }
        : { seq, row: String(row), body, rev: rev ?? 0, recalled: recalled === true },
    )
}

function held({ seq, row, what }: TimelineEvent) {
  return what.kind === 'change'
    ? { seq, row, kind: what.change.kind as string, rev: 0 }
    : { seq, row, body: what.body, rev: what.rev, recalled: what.recalled }
}

function checkDevice(world: World, device: TestDevice): void {
  const { view, user } = device
  expect(view.status).toEqual({ kind: 'online' })
  const known = [...world.server.conversations.values()].filter(
    ({ kind, intervals }) => kind !== 'personal' && intervals.has(user),
  )
  expect([...view.conversations.keys()].sort()).toEqual(known.map(({ id }) => id).sort())
  for (const conversation of known) {
    const shown = view.conversations.get(conversation.id)!
    const events = view.timelines.get(conversation.id)!.events
    // A device may hold events that were trimmed since; it holds all that were not.
    const kept = events.filter(({ seq }) => seq >= conversation.trimmedBefore)
    const from = kept[0]?.seq ?? conversation.events.length + 1
    const visible = truth(world, conversation, user, 0)
    // All that was fetched so far may have been deleted by the user; there is more for who scrolls back.
    if (visible.length > 0 && !conversation.hidden.has(user)) expect(kept.length, `${device.name} shows nothing`).toBeGreaterThan(0)
    // What became of a message after somebody has left is hidden from who holds it already.
    const end = world.server.headOf(conversation, user)
    const hidden = new Set(visible.flatMap((event) => ((event.rev ?? 0) > end ? [event.seq] : [])))
    const place = <E extends { seq: number; row: string }>(event: E) =>
      hidden.has(event.seq) ? { seq: event.seq, row: event.row } : event
    expect(kept.map(held).map(place)).toEqual(visible.filter(({ seq }) => seq >= from).map(place))
    const member = conversation.roles.has(user)
    expect(shown.present).toBe(member)
    expect(shown.read).toBe(conversation.cursors.get(user)!.read)
    // Who holds unread messages that were trimmed since still counts them.
    const { read } = conversation.cursors.get(user)!
    if (conversation.trimmedBefore <= read + 1) expect(shown.unread, `unread of ${device.name} in ${conversation.id}`).toBe(world.server.unreadOf(conversation, user))
    if (conversation.trimmedBefore <= read + 1) expect(shown.unreadMentions, `mentions of ${device.name} in ${conversation.id}`).toBe(world.server.mentionsOf(conversation, user))
    if (conversation.kind === 'group' && member) {
      expect(shown.title).toBe(conversation.title)
      const members = [...conversation.roles].map(([id, role]) => {
        const nickname = conversation.nicknames.get(id)
        return [id, { role, ...(nickname === undefined ? {} : { nickname }) }] as const
      })
      expect(shown.group?.members).toEqual(Object.fromEntries(members))
      expect(shown.group?.info).toEqual(conversation.info)
      if (conversation.roles.get(user) !== 'member') expect(shown.requests).toEqual(Object.fromEntries(conversation.waiting))
      expect(shown.memberCount).toBe(conversation.roles.size)
    }
    if (conversation.kind === 'single') {
      const peer = conversation.users.find((other) => other !== user)!
      expect(shown.peer).toBe(peer)
      expect(shown.peerCursors.read).toBe(conversation.cursors.get(peer)!.read)
    }
  }
}

/** What others are to the user, beside those who are nothing. */
function checkContacts(world: World, { name, user, view }: TestDevice): void {
  const contacts = [...(world.server.contacts.get(user) ?? [])].filter(
    ([, { friendSinceTs, blocked, application }]) => friendSinceTs ?? blocked ?? application,
  )
  const hasBegun = [...world.server.conversations.values()].some(({ kind, users }) => kind === 'personal' && users[0] === user)
  expect(view.personal?.contacts, `contacts of ${name}`).toEqual(hasBegun ? Object.fromEntries(contacts) : undefined)
}

function checkSent(world: World, device: TestDevice): void {
  const stored = [...world.server.conversations.values()].flatMap(({ events }) => events)
  const lanes = new Map<string, number[]>()
  for (const { clientMsgId, lane } of device.sent) {
    const found = stored.filter((event) => event.from === device.user && event.clientMsgId === clientMsgId)
    const entry = device.view.outbox.get(clientMsgId)
    const lost = world.server.takenAway.has(clientMsgId)
    expect(found.length, `${clientMsgId} is there ${found.length} times`).toBeLessThanOrEqual(1)
    if (found.length === 1) expect(entry, `${clientMsgId} is stored and in the outbox`).toBeUndefined()
    else if (!lost) expect(entry?.state, `${clientMsgId} is lost`).toBe('refused')
    if (found[0] && !lost) lanes.set(lane, [...(lanes.get(lane) ?? []), found[0].row])
  }
  for (const rows of lanes.values()) expect(rows).toEqual([...rows].sort((one, other) => one - other))
  for (const entry of device.view.outbox.values()) expect(entry.state).toBe('refused')
}

/** Devices whose process was killed before a message was written have not sent it. */
function forgetUnwritten(device: TestDevice): void {
  const written = device.disk.outbox
  for (const sent of [...device.sent]) {
    const entry = device.view.outbox.get(sent.clientMsgId)
    if (entry?.state === 'waiting' && entry.firstSentTs === undefined && !written.has(sent.clientMsgId)) {
      device.sent.splice(device.sent.indexOf(sent), 1)
    }
  }
}

async function play(seed: number, moves: Move[]): Promise<void> {
  const world = new World(seed)
  for (const [name, user] of DEVICES) await world.device(name, user)
  for (const device of world.devices) device.send({ type: 'SINGLE_CHAT', to: '9004', body: 'first' }, 'user 9004')
  for (const next of moves) {
    const device = world.devices[next.device]!
    if (next.kind === 'crash') forgetUnwritten(device)
    for (const id of device.view.conversations.keys()) if (!device.view.timelines.has(id)) device.engine.open(id)
    await take(world, device, next)
  }
  world.server.dropPushes = 0
  world.server.duplicatePushes = 0
  world.server.nextRefusals = []
  await world.settle()
  // Pushes that were dropped are told by the next sync.
  for (const { network } of world.devices) network.line?.cut()
  await world.settle()
  for (const device of world.devices) {
    checkDevice(world, device)
    checkContacts(world, device)
    checkSent(world, device)
  }
  // State fetched is old state and events.
  const fresh = await world.device('fresh', '9001')
  await world.settle()
  checkDevice(world, fresh)
  checkContacts(world, fresh)
}

/** A few seconds of it; ENGINE_RUNS=300 is the long form. */
const RUNS = Number(process.env.ENGINE_RUNS ?? 20)

it('ends with what the server has, whatever happened on the way', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(move, { minLength: 20, maxLength: 150, size: 'max' }), play),
    {
      numRuns: RUNS,
      ...(process.env.ENGINE_SEED === undefined ? {} : { seed: Number(process.env.ENGINE_SEED) }),
      ...(process.env.ENGINE_PATH === undefined ? {} : { path: process.env.ENGINE_PATH }),
      endOnFailure: process.env.ENGINE_SHRINK === undefined,
      interruptAfterTimeLimit: 500_000,
      markInterruptAsFailure: true,
    },
  )
})

