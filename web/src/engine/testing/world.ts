/** A few devices and one server, all in memory, with every fault under control. */
import { Engine } from '../engine'
import { MemoryDisk, MemoryStorage } from '../storage/memory'
import { applyPatch, emptyView, type View } from '../view'
import { settled, TestClock } from './clock'
import { ModelServer } from './model-server'
import { TestNetwork } from './network'

/** A source of numbers that is the same each time. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

export class TestDevice {
  readonly network: TestNetwork
  readonly disk = new MemoryDisk()
  engine!: Engine
  view: View = emptyView()
  /** What the user has sent, by name, in order. */
  readonly sent: { clientMsgId: string; lane: string }[] = []
  readonly problems: unknown[] = []
  #sentCount = 0

  constructor(
    readonly name: string,
    readonly user: string,
    private readonly world: World,
  ) {
    this.network = new TestNetwork(world.server)
  }

  async start(disk = this.disk): Promise<void> {
    const view = emptyView()
    this.view = view
    const { clock, server, fraction } = this.world
    this.engine = new Engine({
      userId: this.user,
      deviceId: this.name,
      client: 'test/1',
      platform: 'test',
      transport: this.network,
      clock,
      random: { fraction, uuid: () => `${this.name}-${++this.#sentCount}` },
      storage: new MemoryStorage(disk),
      renew: () =>
        Promise.resolve(
          server.revoked.has(this.user)
            ? { kind: 'refused', reason: 'login_revoked' }
            : { kind: 'granted', grant: { userId: this.user, accessToken: `token of ${this.user}`, expiresInMs: 900_000 } },
        ),
      log: (...problem) => this.problems.push(problem),
      show: (patch) => applyPatch(view, patch),
    })
    await this.engine.start()
    for (const id of this.view.conversations.keys()) this.engine.open(id)
  }

  /** The process ends at once; what was not written is gone. */
  crash(): void {
    this.network.line?.close()
    const dead = this.engine
    void dead.stop()
    this.network.line = undefined
  }

  send(request: Parameters<Engine['send']>[0], lane: string): void {
    this.sent.push({ clientMsgId: this.engine.send(request), lane })
  }
}

export class World {
  readonly clock = new TestClock()
  readonly server = new ModelServer(this.clock)
  readonly fraction: () => number
  readonly devices: TestDevice[] = []

  constructor(seed: number) {
    this.fraction = numbers(seed)
  }

  async device(name: string, user: string): Promise<TestDevice> {
    const device = new TestDevice(name, user, this)
    this.devices.push(device)
    await device.start()
    return device
  }

  /** Lets everything through, and time pass, until nobody has anything to do. */
  async settle(): Promise<void> {
    let quiet = 0
    for (let round = 0; quiet < 4; round += 1) {
      if (round > 5_000) throw new Error('no end of frames')
      await settled()
      let moved = false
      for (const { network, engine, view } of this.devices) {
        for (const id of view.conversations.keys()) if (!view.timelines.has(id)) engine.open(id)
        while (network.line?.forward('up') === true) moved = true
        while (network.line?.forward('down') === true) moved = true
      }
      if (moved) quiet = 0
      else {
        quiet += 1
        await this.clock.pass(2_000)
      }
    }
  }
}
