/** The real server as a child process, and a line to it that may be cut. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { once } from 'node:events'

/** The binary: `PETREL`, or what was built beside this folder. */
function binary(): string {
  const root = (path: string) => fileURLToPath(new URL(`../../../target/${path}/petrel`, import.meta.url))
  const found = [process.env.PETREL, root('debug'), root('release')].find(
    (path) => path !== undefined && existsSync(path),
  )
  if (found === undefined) throw new Error('no server: build it (make build), or say where it is in PETREL')
  return found
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export class RealServer {
  #child: ChildProcess | undefined

  private constructor(
    readonly directory: string,
    readonly httpPort: number,
    readonly gatewayPort: number,
    private readonly settings: readonly string[],
  ) {}

  /** With settings as `petrel serve --set` takes them. */
  static async start(settings: readonly string[] = []): Promise<RealServer> {
    const directory = await mkdtemp(join(tmpdir(), 'petrel-web-'))
    const server = new RealServer(directory, await freePort(), await freePort(), settings)
    await server.run()
    return server
  }

  get http(): string {
    return `http://127.0.0.1:${this.httpPort}`
  }

  /** Starts it, and waits until it answers. */
  async run(): Promise<void> {
    const listen = ['--http', `127.0.0.1:${this.httpPort}`, '--gateway', `127.0.0.1:${this.gatewayPort}`]
    const child = spawn(binary(), ['serve', '--data-dir', this.directory, ...listen, '--admin', 'off', ...this.settings.flatMap((setting) => ['--set', setting])], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let output = ''
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes('is ready')) resolve()
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${output}`)))
    })
  }

  /** SIGKILL: nothing is told to anybody. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null) return
    child.removeAllListeners('exit')
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async remove(): Promise<void> {
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** A line to the gateway that may be cut and mended. */
export class Cable {
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async to(port: number): Promise<Cable> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const cable = new Cable(server, (server.address() as AddressInfo).port)
    server.on('connection', (socket) => cable.#join(socket, port))
    return cable
  }

  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isCut = false
  }

  close(): void {
    this.cut()
    this.server.close()
  }

  #join(near: Socket, port: number): void {
    if (this.#isCut) {
      near.destroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    near.pipe(far)
    far.pipe(near)
  }
}
