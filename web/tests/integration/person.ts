/** A person with one device: the engine over a real socket, and what the person sees. */
import { WebSocket } from 'ws'
import { AccountApi } from '../../src/app/platform/account'
import { webSocketTransport } from '../../src/app/platform/transport'
import { systemClock, systemRandom } from '../../src/app/platform/world'
import { applyPatch, emptyView, Engine, MemoryDisk, MemoryStorage, type View } from '../../src/engine'
import type { Grant, TimelineEvent } from '../../src/engine'

const PASSWORD = 'a storm petrel in a gale'

/** How long something is waited for before a test fails, in milliseconds. */
const PATIENCE_MS = 20_000

export class Person {
  readonly view: View = emptyView()
  readonly statuses: string[] = []
  readonly #waiting = new Set<() => void>()
  engine!: Engine

  private constructor(
    readonly account: AccountApi,
    readonly grant: Grant,
    private readonly deviceId: string,
    private readonly port: number,
    readonly disk: MemoryDisk,
  ) {}

  get userId(): string {
    return this.grant.userId
  }

  static async register(http: string, port: number, username: string): Promise<Person> {
    const account = new AccountApi(http, false)
    const grant = await account.register({ username, password: PASSWORD })
    return Person.#begin(new Person(account, grant, `${username}-1`, port, new MemoryDisk()))
  }

  static async login(http: string, port: number, username: string, deviceId: string): Promise<Person> {
    const account = new AccountApi(http, false)
    const grant = await account.login({ username, password: PASSWORD })
    return Person.#begin(new Person(account, grant, deviceId, port, new MemoryDisk()))
  }

  /** The same device after its process was started again. */
  async reload(port = this.port): Promise<Person> {
    await this.engine.stop()
    return Person.#begin(new Person(this.account, this.grant, this.deviceId, port, this.disk))
  }

  static async #begin(person: Person): Promise<Person> {
    const { account, grant, view } = person
    person.engine = new Engine({
      userId: grant.userId,
      deviceId: person.deviceId,
      client: 'petrel-web-test/1',
      platform: 'web',
      grant,
      renew: () => account.renew(),
      transport: webSocketTransport(
        `ws://127.0.0.1:${person.port}/ws`,
        WebSocket as unknown as typeof globalThis.WebSocket,
      ),
      clock: systemClock,
      random: systemRandom,
      storage: new MemoryStorage(person.disk),
      log: () => {},
      show: (patch) => {
        applyPatch(view, patch)
        if (patch.status) person.statuses.push(patch.status.kind)
        for (const look of [...person.#waiting]) look()
      },
      times: { backoffBaseMs: 50, backoffCapMs: 400 },
    })
    await person.engine.start()
    return person
  }

  /** Waits until the person sees something. */
  sees<T>(what: string, look: (view: View) => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look(this.view)
        if (found === undefined || found === false) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(found)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        reject(new Error(`${this.deviceId} does not see ${what}; status ${JSON.stringify(this.view.status)}`))
      }, PATIENCE_MS)
      this.#waiting.add(check)
      check()
    })
  }

  online(): Promise<true> {
    return this.sees('that it is online', ({ status }) => status.kind === 'online')
  }

  /** The conversation with somebody, opened. */
  async chatWith(peer: string): Promise<string> {
    const { conversationId } = await this.sees(`a chat with ${peer}`, ({ conversations }) =>
      [...conversations.values()].find((known) => known.peer === peer),
    )
    if (!this.view.timelines.has(conversationId)) this.engine.open(conversationId)
    return conversationId
  }

  bodies(conversationId: string): string[] {
    const events = this.view.timelines.get(conversationId)?.events ?? []
    return events.flatMap(({ what }) => (what.kind === 'message' ? [what.body] : []))
  }

  events(conversationId: string): TimelineEvent[] {
    return this.view.timelines.get(conversationId)?.events ?? []
  }

  say(to: string, body: string): string {
    return this.engine.send({ type: 'SINGLE_CHAT', to, body })
  }

  /** Waits until the server has acked all that was sent. */
  allSaved(): Promise<true> {
    return this.sees('everything saved', ({ outbox }) => outbox.size === 0)
  }
}
