/** The engine's life: renewing, coming back, stopping. */
import { expect, it } from 'vitest'
import { settled } from './testing/clock'
import { World } from './testing/world'
import { Engine } from './engine'
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
