/** A TURN server on this machine, coturn, with which devices reach each other that could not directly. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createSocket } from 'node:dgram'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SECRET = 'shared with the turn server alone'
/** How long it may take to answer, in milliseconds. */
const PATIENCE_MS = 10_000

export class TurnServer {
  #child!: ChildProcess

  private constructor(
    private readonly directory: string,
    readonly port: number,
  ) {}

  static async start(): Promise<TurnServer> {
    const directory = await mkdtemp(join(tmpdir(), 'petrel-turn-'))
    await writeFile(join(directory, 'secret'), SECRET)
    const turn = new TurnServer(directory, await freeUdpPort())
    await turn.#run()
    return turn
  }

  /** Ends it and starts it again: it knows nothing more of the ways that it relayed. */
  async forget(): Promise<void> {
    await this.#kill()
    await this.#run()
  }

  async #run(): Promise<void> {
    const { directory, port } = this
    const child = spawn(
      process.env.TURNSERVER ?? 'turnserver',
      [
        '-n', '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`, '--allow-loopback-peers',
        '--use-auth-secret', `--static-auth-secret=${SECRET}`, '--realm=petrel.test', '--fingerprint',
        '--no-tls', '--no-dtls', '--no-cli', '--log-file=stdout', `--pidfile=${join(directory, 'pid')}`, `--userdb=${join(directory, 'db')}`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const failed = new Promise<never>((_, reject) => {
      child.once('error', (error) => reject(new Error(`no TURN server: apt install coturn, or say in TURNSERVER where one is (${error.message})`)))
      child.once('exit', (code) => reject(new Error(`the TURN server ended with ${code}`)))
    })
    failed.catch(() => {})
    // What it says is of no interest, but a pipe that nobody reads would stop it.
    child.stdout.resume()
    child.stderr.resume()
    this.#child = child
    await Promise.race([answers(port), failed])
  }

  /** What a server has to be told of it. */
  get settings(): Record<string, string> {
    return { 'calls.turn_urls': `["turn:127.0.0.1:${this.port}?transport=udp"]`, 'calls.turn_secret_file': join(this.directory, 'secret') }
  }

  async stop(): Promise<void> {
    await this.#kill()
    await rm(this.directory, { recursive: true, force: true })
  }

  async #kill(): Promise<void> {
    const child = this.#child
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}

/** Asks (a STUN binding request) until it answers. */
async function answers(port: number): Promise<void> {
  const request = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.from('petrel tests')])
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  const asking = setInterval(() => socket.send(request, port, '127.0.0.1'), 50)
  try {
    await once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) })
  } finally {
    clearInterval(asking)
    socket.close()
  }
}
