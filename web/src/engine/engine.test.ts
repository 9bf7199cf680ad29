/** The engine's life: renewing, coming back, stopping. */
import { expect, it } from 'vitest'
import { settled } from './testing/clock'
import { World } from './testing/world'
import { Engine } from './engine'
import { applyPatch, emptyView } from './view'
import { MemoryStorage } from './storage/memory'
import { TestNetwork } from './testing/network'
import type { Renewal } from './ports'
import type { Status } from './view'

const USER = '9001'

function engineIn(world: World, renewals: Renewal[]) {
  const network = new TestNetwork(world.server)
  const statuses: Status[] = []
  const engine = new Engine({
    userId: USER,
    deviceId: 'd',
    client: 'test/1',
    platform: 'test',
    transport: network,
    clock: world.clock,
    random: { fraction: () => 0.5, uuid: () => 'name' },
    storage: new MemoryStorage(),
    renew: () => Promise.resolve(renewals.shift() ?? { kind: 'unavailable' }),
    log: () => {},
    show: ({ status }) => status && statuses.push(status),
  })
  const flow = async () => {
    for (let round = 0; round < 10; round += 1) {
      await settled()
      while (network.line?.forward('up') === true);
      while (network.line?.forward('down') === true);
    }
  }
  return { engine, network, statuses, flow }
}

const granted: Renewal = { kind: 'granted', grant: { userId: USER, accessToken: `token of ${USER}`, expiresInMs: 900_000 } }

it('renews, connects, catches up, and says so', async () => {
  const { engine, statuses, flow } = engineIn(new World(1), [granted])
  await engine.start()
  await flow()
  expect(statuses.map(({ kind }) => kind)).toEqual(['connecting', 'catchingUp', 'online'])
})

it('says until when it is offline, and comes back then', async () => {
  const world = new World(1)
  const { engine, network, flow } = engineIn(world, [granted])
  await engine.start()
  await flow()
  network.line!.cut(4503, '{"reason":"drain","retryAfterMs":3000}')
  expect(engine.status).toEqual({ kind: 'offline', retryAt: world.clock.now() + 3_250, reason: 'drain' })
  await world.clock.pass(3_249)
  expect(engine.status.kind).toBe('offline')
  await world.clock.pass(1)
  await flow()
  expect(engine.status).toEqual({ kind: 'online' })
})

it.each([
  [4409, 'halted'],
  [4429, 'halted'],
  [4403, 'signedOut'],
])('does not come back by itself after %i', async (code, kind) => {
  const world = new World(1)
  const { engine, network, flow } = engineIn(world, [granted])
  await engine.start()
  await flow()
  network.line!.cut(code)
  network.line = undefined
  await world.clock.pass(3_600_000)
  expect(engine.status.kind).toBe(kind)
  expect(network.line).toBeUndefined()
})

it('gets another token when its own is refused, and signs out when there is none', async () => {
  const { engine, network, flow } = engineIn(new World(1), [granted, granted, { kind: 'refused', reason: 'login_revoked' }])
  await engine.start()
  await flow()
  network.line!.cut(4401)
  await flow()
  expect(engine.status).toEqual({ kind: 'online' })
  network.line!.cut(4401)
  await flow()
  expect(engine.status).toEqual({ kind: 'signedOut', reason: 'login_revoked' })
})

it.each([
  ['in a session', '{"type":"KICK","reason":"account_disabled","message":"locked"}', 1006],
  ['when it comes back', '{"type":"AUTH_FAIL","reason":"account_disabled","message":"locked"}', undefined],
])('signs out when the user is locked out %s', async (_, frame, code) => {
  const { engine, network, flow } = engineIn(new World(1), [granted, granted])
  await engine.start()
  await (code === undefined ? settled() : flow())
  network.line!.toClient.push(frame)
  network.line!.forward('down')
  if (code !== undefined) network.line!.cut(code)
  await flow()
  expect(engine.status).toEqual({ kind: 'signedOut', reason: 'account_disabled' })
})

it('gives a new token to the session that runs when the old one ends soon', async () => {
  const { engine, network, flow } = engineIn(new World(1), [granted, granted])
  await engine.start()
  await flow()
  const { line } = network
  line!.toClient.push('{"type":"AUTH_EXPIRING","inMs":60000}')
  line!.forward('down')
  await settled()
  expect(line!.toServer.map((frame) => JSON.parse(frame).type)).toEqual(['REAUTH'])
  expect(network.line).toBe(line)
})

it('notices a line that is dead without having been closed', async () => {
  const world = new World(1)
  const { engine, network, flow } = engineIn(world, [granted])
  await engine.start()
  await flow()
  const { line } = network
  await world.clock.pass(40_000)
  expect(line!.toServer.map((frame) => JSON.parse(frame).type)).toContain('PING')
  await world.clock.pass(20_000)
  expect(line!.isOpen).toBe(false)
})

it('finds out in seconds whether a line is dead when there is reason to doubt, as after another network has come', async () => {
  const world = new World(1)
  const { engine, network, flow } = engineIn(world, [granted])
  await engine.start()
  await flow()
  const { line } = network
  engine.connect()
  await flow()
  await world.clock.pass(5_000)
  expect(line!.isOpen).toBe(true)
  engine.connect()
  await world.clock.pass(4_999)
  expect(line!.isOpen).toBe(true)
  await world.clock.pass(1)
  expect(line!.isOpen).toBe(false)
})

it('a line over which something comes is not dead, however late the answer is', async () => {
  const world = new World(1)
  const { engine, network, flow } = engineIn(world, [granted])
  await engine.start()
  await flow()
  engine.connect()
  await world.clock.pass(1_000)
  network.line!.toClient.push('{"type":"PONG","ts":1}')
  network.line!.forward('down')
  await world.clock.pass(4_000)
  expect(network.line!.isOpen).toBe(true)
})

it('comes back with back-off after it was taken for idle', async () => {
  const world = new World(1)
  const { engine, network, flow } = engineIn(world, [granted])
  await engine.start()
  await flow()
  network.line!.cut(4504, '{"reason":"idle"}')
  expect(engine.status).toEqual({ kind: 'offline', retryAt: world.clock.now() + 250, reason: 'idle' })
  await world.clock.pass(250)
  await flow()
  expect(engine.status).toEqual({ kind: 'online' })
})

it('passes over frames that it does not know', async () => {
  const { engine, network, flow } = engineIn(new World(1), [granted])
  await engine.start()
  await flow()
  network.line!.toClient.push('{"type":"OF_A_LATER_VERSION"}', '{"type":"ACK","ackType":"later","clientMsgId":"x"}', 'no JSON')
  await flow()
  expect(engine.status).toEqual({ kind: 'online' })
  expect(network.line!.isOpen).toBe(true)
})

it('a question that is refused for good keeps nothing else from coming', async () => {
  const world = new World(1)
  const owner = await world.device('owner', '9001')
  const member = await world.device('member', '9002')
  await world.settle()
  owner.engine.send({ type: 'GROUP_CREATE', title: 'Harbour', members: ['9002'], history: 'joined' })
  await world.settle()
  const groupId = [...member.view.conversations.keys()][0]!
  // The server takes the role away while the device still holds itself for an admin.
  owner.engine.send({ type: 'GROUP_ROLE', groupId, user: '9002', role: 'admin' })
  await world.settle()
  world.server.conversations.get(groupId)!.roles.set('9002', 'member')
  owner.engine.send({ type: 'GROUP_SETTINGS', groupId, joining: 'approval' })
  const stranger = await world.device('stranger', '9003')
  await world.settle()
  stranger.engine.send({ type: 'GROUP_JOIN', code: `CODE${groupId}` })
  await world.settle()
  world.server.dropPushes = 1
  owner.engine.send({ type: 'GROUP_CHAT', groupId, body: 'missed' })
  await world.settle()
  owner.engine.send({ type: 'GROUP_CHAT', groupId, body: 'heard' })
  await world.settle()
  const bodies = member.view.timelines.get(groupId)!.events.flatMap(({ what }) => (what.kind === 'message' ? [what.body] : []))
  expect(bodies).toEqual(['missed', 'heard'])
  expect(member.view.status).toEqual({ kind: 'online' })
})

it('an event with a word of a later version is shown by its fallback, and pulled once', async () => {
  const world = new World(1)
  const owner = await world.device('owner', '9001')
  const member = await world.device('member', '9002')
  await world.settle()
  owner.engine.send({ type: 'GROUP_CREATE', title: 'Harbour', members: ['9002'], history: 'joined' })
  await world.settle()
  const groupId = [...owner.view.conversations.keys()][0]!
  const conversation = world.server.conversations.get(groupId)!
  for (const frame of ['push', 'pull']) {
    world.server.dropPushes = frame === 'pull' ? 1 : 0
    owner.engine.send({ type: 'GROUP_ROLE', groupId, user: '9002', role: 'admin' })
    await settled()
    while (owner.network.line?.forward('up') === true) {
      const change = conversation.events.at(-1)?.change
      if (change?.kind === 'roleChanged') change.role = 'harbourmaster'
    }
    const { toClient } = member.network.line!
    toClient.splice(0, toClient.length, ...toClient.map((text) => text.replace('"role":"admin"', '"role":"harbourmaster"')))
    await world.settle()
    owner.engine.send({ type: 'GROUP_CHAT', groupId, body: frame })
    await world.settle()
  }
  const before = world.server.pulls
  await world.settle()
  expect(world.server.pulls).toBe(before)
  const shown = member.view.timelines.get(groupId)!.events.map(({ what }) => (what.kind === 'message' ? what.body : what.change.kind))
  expect(shown).toEqual(['groupCreated', 'unknown', 'push', 'unknown', 'pull'])
  expect(member.view.status).toEqual({ kind: 'online' })
})

it('an answer that can not be read is not asked for again and again', async () => {
  const { engine, network, flow } = engineIn(new World(1), [granted])
  await engine.start()
  for (let round = 0; network.line?.toServer.some((frame) => JSON.parse(frame).type === 'SYNC') !== true; round += 1) {
    if (round > 20) throw new Error('no sync')
    await settled()
    network.line?.forward('up')
    network.line?.forward('down')
  }
  const { id } = JSON.parse(network.line!.toServer.pop()!)
  network.line!.toClient.push(JSON.stringify({ type: 'SYNC_STATE', id, epoch: 'of a later version' }))
  network.line!.forward('down')
  expect(network.line!.isOpen).toBe(true)
  expect(network.line!.toServer).toEqual([])
  void flow
})

it('asks for the settings that no event has told, and an event is newer', async () => {
  const world = new World(1)
  let asked = 0
  const network = new TestNetwork(world.server)
  const view = emptyView()
  const engine = new Engine({
    userId: USER, deviceId: 'd', client: 'test/1', platform: 'test', transport: network, clock: world.clock,
    random: { fraction: () => 0.5, uuid: () => 'name' }, storage: new MemoryStorage(),
    renew: () => Promise.resolve(granted), log: () => {}, show: (patch) => applyPatch(view, patch),
    askSettings: (token) => {
      asked += 1
      return token === `token of ${USER}` ? Promise.resolve({ findable: false }) : Promise.reject(new Error('whose?'))
    },
  })
  const flow = async () => {
    for (let round = 0; round < 10; round += 1) {
      await settled()
      while (network.line?.forward('up') === true);
      while (network.line?.forward('down') === true);
    }
  }
  await engine.start()
  await flow()
  expect(view.personal).toEqual({ settings: { findable: false } })
  const change = { kind: 'settingsChanged', settings: { findable: true, friendCode: 'K7Q2M9XWRT4B' } }
  const event = { type: 'EVENT', from: USER, serverMsgId: '1', conversationId: '77', msgSeq: 1, ts: 1, change, fallback: '' }
  network.line!.toClient.push(JSON.stringify(event))
  await flow()
  expect(view.personal).toEqual({ contacts: {}, invitations: {}, settings: change.settings })
  expect(asked).toBe(1)
})

it('who is let in by a code sees the group and its title; who is not, sees nothing of it', async () => {
  const world = new World(1)
  const owner = await world.device('owner', '9001')
  const [asker, other] = [await world.device('asker', '9002'), await world.device('other', '9003')]
  await world.settle()
  owner.engine.send({ type: 'GROUP_CREATE', title: 'Harbour', members: [], history: 'joined' })
  await world.settle()
  const groupId = [...owner.view.conversations.keys()][0]!
  owner.engine.send({ type: 'GROUP_SETTINGS', groupId, joining: 'approval' })
  await world.settle()
  for (const { engine } of [asker, other]) engine.send({ type: 'GROUP_JOIN', code: `CODE${groupId}`, message: 'Ada' })
  await world.settle()
  expect(asker.view.outbox.size).toBe(0)
  const waiting = owner.view.conversations.get(groupId)?.requests ?? {}
  expect(Object.entries(waiting).map(([user, { message }]) => [user, message])).toEqual([['9002', 'Ada'], ['9003', 'Ada']])
  owner.engine.send({ type: 'GROUP_ANSWER', groupId, user: '9002', accept: true })
  owner.engine.send({ type: 'GROUP_ANSWER', groupId, user: '9003', accept: false })
  await world.settle()
  expect(asker.view.conversations.get(groupId)).toMatchObject({ title: 'Harbour', present: true })
  expect(other.view.conversations.size).toBe(0)
  expect(owner.view.conversations.get(groupId)?.requests).toEqual({})
})

it('a device that is new asks for the contacts that the last page does not tell', async () => {
  const world = new World(1)
  const phone = await world.device('phone', '9001')
  await world.settle()
  const contact = (user: string, action: 'apply' | 'block' | 'unblock') => phone.engine.send({ type: 'CONTACT', user, action })
  for (const user of ['9002', '9003', '9004']) contact(user, 'apply')
  contact('9005', 'block')
  await world.settle()
  for (let round = 0; round < 5; round += 1) {
    contact('9006', 'block')
    await world.settle()
    contact('9006', 'unblock')
    await world.settle()
  }
  const laptop = await world.device('laptop', '9001')
  await world.settle()
  expect(Object.keys(phone.view.personal?.contacts ?? {})).toEqual(['9002', '9003', '9004', '9005'])
  expect(laptop.view.personal?.contacts).toEqual(phone.view.personal?.contacts)
  expect(laptop.view.status).toEqual({ kind: 'online' })
})

it('a group of which an ack told first has its title when the user is told of it, too', async () => {
  const world = new World(1)
  const owner = await world.device('owner', '9001')
  const asker = await world.device('asker', '9002')
  await world.settle()
  owner.engine.send({ type: 'GROUP_CREATE', title: 'Harbour', members: [], history: 'joined' })
  await world.settle()
  const groupId = [...owner.view.conversations.keys()][0]!
  owner.engine.send({ type: 'GROUP_SETTINGS', groupId, joining: 'open' })
  await world.settle()
  // A personal timeline that is new would be asked about in any case.
  asker.engine.send({ type: 'CONTACT', user: '9003', action: 'block' })
  await world.settle()
  asker.engine.send({ type: 'GROUP_JOIN', code: `CODE${groupId}` })
  await settled()
  const line = asker.network.line!
  while (line.forward('up'));
  line.toClient.reverse()
  expect(line.toClient.slice(0, 2).map((frame) => JSON.parse(frame).type)).toEqual(['ACK', 'EVENT'])
  // Nobody looks at it, so that nothing but the list of conversations tells its title.
  for (let round = 0; round < 10; round += 1) {
    while (line.forward('down'));
    await settled()
    while (line.forward('up'));
  }
  expect(asker.view.conversations.get(groupId)).toMatchObject({ title: 'Harbour', present: true })
})

it('hears of a group from the personal timeline when nothing else has told of it', async () => {
  const world = new World(1)
  const owner = await world.device('owner', '9001')
  const member = await world.device('member', '9002')
  await world.settle()
  member.engine.send({ type: 'CONTACT', user: '9003', action: 'block' })
  await world.settle()
  // Two of personal timelines, and that of the group.
  world.server.dropPushes = 3
  owner.engine.send({ type: 'GROUP_CREATE', title: 'Harbour', members: ['9002'], history: 'joined' })
  await world.settle()
  expect(member.view.conversations.size).toBe(0)
  world.server.dropPushes = 0
  member.engine.send({ type: 'CONTACT', user: '9003', action: 'unblock' })
  await world.settle()
  expect([...member.view.conversations.values()].map(({ title }) => title)).toEqual(['Harbour'])
})
