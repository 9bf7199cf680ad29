/** Two people talk while the network of one of them changes. What they hear and see is counted as packets. */
import { chromium, type Browser } from 'playwright-core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { accepts, begins, counts, does, flows, incoming, isOver, record, talks, watchConnections } from '../e2e/callers'
import { ServerApi } from '../e2e/server-api'
import { Visitor } from '../e2e/visitor'
import { Cable, RealServer } from '../integration/server'
import { browserOn, lineOf, plug, SERVER_ADDRESS, unplug, unplugAll, type Machine } from './machines'

/** How long there is no network at all, in milliseconds. */
const OUTAGE_MS = 10_000

let server: RealServer
const browsers: Browser[] = []
const people: Visitor[] = []
let ada: Visitor
let bob: Visitor

beforeEach(async () => {
  plug('ada', 'wire', 1)
  plug('bob', 'wire', 2)
  plug('bob', 'mobile', 3)
  server = await RealServer.start({ address: SERVER_ADDRESS, settings: { 'identity.registration': 'open' } })
  const api = new ServerApi(server.http)
  const [one, other] = [await api.register('ada'), await api.register('bob')]
  await other.post('/api/messages', { to: one.userId, body: 'Call me.' })
  ada = await person('ada')
  bob = await person('bob')
  await ada.opensChat('bob')
  await bob.opensChat('ada')
  await begins(ada, 'Video call')
  await incoming(bob).waitFor()
  await accepts(bob, 'Accept with video')
  await Promise.all([talks(ada), talks(bob)])
  await bothFlow()
})
afterEach(async () => {
  await Promise.all(browsers.splice(0).map((browser) => browser.close()))
  for (const { cable } of people.splice(0)) cable.close()
  await server.remove()
  unplugAll()
})

async function person(name: Machine): Promise<Visitor> {
  const browser = await chromium.launch({
    executablePath: browserOn(name),
    // Microphone and camera are for pages only that nobody could have changed on their way.
    args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${SERVER_ADDRESS}`, `--unsafely-treat-insecure-origin-as-secure=${server.http}`],
  })
  browsers.push(browser)
  const context = await browser.newContext({ baseURL: server.http, locale: 'en-GB', viewport: { width: 1280, height: 800 } })
  const visitor = await Visitor.of(context, name, server.http, await Cable.to(server.httpPort))
  await watchConnections(visitor)
  people.push(visitor)
  return visitor.logIn()
}

/** Sound and picture come and go on both sides. */
const bothFlow = () => Promise.all([flows(ada, ['audio', 'video']), flows(bob, ['audio', 'video'])])

/** The line over which bob talks. */
async function lineOfBob(): Promise<string> {
  const address = await bob.page.evaluate(async () => {
    const connection = (globalThis as unknown as { connections: RTCPeerConnection[] }).connections.at(-1)!
    const report = [...((await connection.getStats()) as unknown as Map<string, any>).values()]
    const transport = report.find(({ type }) => type === 'transport')
    const pair = report.find(({ id }) => id === transport?.selectedCandidatePairId)
    return report.find(({ id }) => id === pair?.localCandidateId)?.address as string
  })
  return lineOf('bob', address)
}

/** Sound and picture come and go again, over this line; and in the chat it is one call. */
async function talkOn(line: string): Promise<void> {
  const since = Date.now()
  const before = [await counts(ada), await counts(bob)]
  await bothFlow()
  const after = [await counts(ada), await counts(bob)]
  console.log(`after ${Date.now() - since} ms they talk over ${line}`, JSON.stringify([before, after].map((both) => both.map(({ packets }) => packets))))
  expect(await lineOfBob()).toBe(line)
  await Promise.all([talks(ada), talks(bob)])
  await does(ada, 'Hang up')
  await Promise.all([isOver(ada), isOver(bob)])
  for (const one of [ada, bob]) {
    await record(one, /Video call\s*\d:\d\d/).waitFor()
    expect(await one.messages.locator('.record').count()).toBe(1)
  }
}

it.each([
  ['that they talk over', lineOfBob],
  ['that leads to the server', () => 'wire'],
])('when the line %s is gone, they talk on over the other', async (_, which) => {
  const line = await which()
  unplug('bob', line)
  await talkOn(line === 'wire' ? 'mobile' : 'wire')
})

it('when there is no network for a while, and then one with another address, they talk on', async () => {
  for (const line of ['wire', 'mobile']) unplug('bob', line)
  const lost = Date.now()
  await ada.page.getByText('Reconnecting…').first().waitFor()
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS - (Date.now() - lost)))
  plug('bob', 'other', 4)
  await talkOn('other')
})
