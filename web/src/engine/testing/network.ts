/** A network for tests: frames wait until they are let through, and lines may be cut. */
import type { Connection, ConnectionListener, Transport } from '../ports'

/** The server's side of a line. */
export interface LineServer {
  received(line: Line, frame: string): void
  closed(line: Line): void
}

export class Line implements Connection {
  readonly toServer: string[] = []
  readonly toClient: string[] = []
  isOpen = true
  #isOpened = false

  constructor(
    private readonly listener: ConnectionListener,
    private readonly server: LineServer,
  ) {}

  /** The client sends. */
  send(frame: string): void {
    if (this.isOpen) this.toServer.push(frame)
  }

  /** The client goes. */
  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.server.closed(this)
  }

  /** Lets something through, if there is anything. The first is that the line stands. */
  forward(direction: 'up' | 'down'): boolean {
    if (!this.isOpen) return false
    if (!this.#isOpened) {
      this.#isOpened = true
      this.listener.opened()
      return true
    }
    const frame = direction === 'up' ? this.toServer.shift() : this.toClient.shift()
    if (frame === undefined) return false
    if (direction === 'up') this.server.received(this, frame)
    else this.listener.received(frame)
    return true
  }

  /** Exchanges two frames that are on their way to the client. */
  reorder(index: number): void {
    if (this.toClient.length < 2) return
    const at = index % (this.toClient.length - 1)
    const [one, other] = [this.toClient[at]!, this.toClient[at + 1]!]
    const isPush = (frame: string) => /"type":"(SINGLE_CHAT|GROUP_CHAT|EVENT)"/.test(frame.slice(0, 40))
    if (isPush(one) && isPush(other)) [this.toClient[at], this.toClient[at + 1]] = [other, one]
  }

  /** The line breaks; whatever was on its way is lost. */
  cut(code = 1006, reason = ''): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.server.closed(this)
    this.listener.closed(code, reason)
  }
}

export class TestNetwork implements Transport {
  line: Line | undefined

  constructor(private readonly server: LineServer) {}

  connect(listener: ConnectionListener): Connection {
    this.line = new Line(listener, this.server)
    return this.line
  }
}
