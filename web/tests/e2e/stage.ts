/** A browser, a server of its own, and people in contexts of their own. */
import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContextOptions } from 'playwright-core'
import { Cable, RealServer, type ServerOptions } from '../integration/server'
import { PASSWORD } from './server-api'
import { Visitor } from './visitor'

/** Debian's browser, or the one that `CHROMIUM` names. */
function browserPath(): string {
  const path = process.env.CHROMIUM ?? '/usr/bin/chromium'
  if (!existsSync(path)) throw new Error(`no browser at ${path}: apt install chromium, or say in CHROMIUM where one is`)
  return path
}

export class Stage {
  readonly visitors: Visitor[] = []

  private constructor(
    readonly server: RealServer,
    readonly browser: Browser,
  ) {}

  static async open({ admins = [], settings = {} }: { admins?: string[]; settings?: ServerOptions['settings'] } = {}): Promise<Stage> {
    const [server, browser] = await Promise.all([
      RealServer.start({ admins: { names: admins, password: PASSWORD }, settings }),
      chromium.launch({
        executablePath: browserPath(),
        args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
      }),
    ])
    return new Stage(server, browser)
  }

  /** A person with a browser of their own, and a line to the server that may be cut. */
  async visitor(name: string, options: BrowserContextOptions = {}, browser = this.browser): Promise<Visitor> {
    const cable = await Cable.to(this.server.httpPort)
    const origin = `http://127.0.0.1:${cable.port}`
    const context = await browser.newContext({ baseURL: origin, locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })
    const visitor = await Visitor.of(context, name, origin, cable)
    this.visitors.push(visitor)
    return visitor
  }

  /** Everybody goes; what nobody may have seen is reported. */
  async clear(): Promise<void> {
    const visitors = this.visitors.splice(0)
    await Promise.all(visitors.map(({ context }) => context.close()))
    for (const { cable } of visitors) cable.close()
    const problems = visitors.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))
    if (problems.length > 0) throw new Error(`in the browsers:\n${problems.join('\n')}`)
  }

  async close(): Promise<void> {
    await this.browser.close()
    await this.server.remove()
  }
}
