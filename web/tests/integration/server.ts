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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** What is different about a server. */
export interface ServerOptions {
  /** Admins of the system, who are there before it starts, by name; all with this password. */
  admins?: { names: string[]; password: string }
  /** Keys of the configuration. */
  settings?: Record<string, string | number>
  /** Where it listens; this machine alone reaches it otherwise. */
  address?: string
}

export class RealServer {
  #child: ChildProcess | undefined

  private constructor(
    readonly directory: string,
    readonly httpPort: number,
    readonly gatewayPort: number,
    private readonly settings: Record<string, string | number>,
    private readonly address: string,
  ) {}

  static async start({ admins, settings = {}, address = '127.0.0.1' }: ServerOptions = {}): Promise<RealServer> {
    const directory = await mkdtemp(join(tmpdir(), 'petrel-web-'))
    const server = new RealServer(directory, await freePort(), await freePort(), settings, address)
    for (const name of admins?.names ?? []) await server.#createAdmin(name, admins!.password)
    await server.run()
    return server
  }

  /** The first admin comes from the command line, and the password by standard input. */
  async #createAdmin(name: string, password: string): Promise<void> {
    const child = spawn(binary(), ['admin', 'create-user', '--admin', name, '--data-dir', this.directory], { stdio: ['pipe', 'ignore', 'pipe'] })
    let output = ''
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stdin.end(`${password}\n`)
    const [code] = (await once(child, 'exit')) as [number]
    if (code !== 0) throw new Error(`the admin was not created (${code}): ${output}`)
  }

  get http(): string {
    return `http://${this.address}:${this.httpPort}`
  }

  /** Starts it, and waits until it answers. */
  async run(): Promise<void> {
    const listen = ['--http', `${this.address}:${this.httpPort}`, '--gateway', `${this.address}:${this.gatewayPort}`]
    const settings = Object.entries(this.settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const child = spawn(binary(), ['serve', '--data-dir', this.directory, ...listen, '--admin', 'off', ...settings], {
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
  /** How much still goes through towards the server, in bytes. */
  #allowance = Infinity
  #held: Socket[] = []

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
    this.#allowance = Infinity
    for (const socket of this.#held.splice(0)) socket.resume()
  }

  /** So much more goes through towards the server; then it stands still until the line is mended. */
  clog(bytes: number): void {
    this.#allowance = bytes
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
    near.on('data', (chunk: Buffer) => {
      this.#allowance -= chunk.length
      const isFull = !far.write(chunk)
      if (this.#allowance <= 0) {
        near.pause()
        this.#held.push(near)
      } else if (isFull) {
        near.pause()
        far.once('drain', () => near.resume())
      }
    })
    near.on('end', () => far.end())
    far.pipe(near)
  }
}
