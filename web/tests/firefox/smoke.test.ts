/** The client in Firefox: somebody logs in there, and writes and talks to somebody in Chromium. */
import { existsSync } from 'node:fs'
import type { Browser } from 'playwright-core'
// The newest Playwright that asks Debian's Firefox for nothing that it does not know.
import { firefox } from 'playwright-core-firefox'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accepts, begins, call, counts, does, flows, incoming, isOver, record, talks, watchConnections } from '../e2e/callers'
import { ServerApi } from '../e2e/server-api'
import { Stage } from '../e2e/stage'
import type { Visitor } from '../e2e/visitor'

/** A microphone and a camera that nobody has to allow, and no network but the machine's own. */
const PREFERENCES = { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.peerconnection.ice.loopback': true }

/** Debian's browser, or the one that `FIREFOX` names. */
function firefoxPath(): string {
  const path = process.env.FIREFOX ?? '/usr/bin/firefox-esr'
  if (!existsSync(path)) throw new Error(`no Firefox at ${path}: apt install firefox-esr, or say in FIREFOX where one is`)
  return path
}

let stage: Stage
let fox: Browser
let ada: Visitor
let bob: Visitor

beforeAll(async () => {
  stage = await Stage.open()
  fox = (await firefox.launch({ channel: 'moz-firefox', executablePath: firefoxPath(), firefoxUserPrefs: PREFERENCES })) as unknown as Browser
  const api = new ServerApi(stage.server.http)
  const [one, other] = [await api.register('ada'), await api.register('bob')]
  await other.post('/api/messages', { to: one.userId, body: 'Are you there?' })
  ada = await stage.visitor('ada', {}, fox)
  bob = await stage.visitor('bob')
  for (const person of [ada, bob]) {
    await watchConnections(person)
    await person.logIn()
  }
})
afterAll(async () => {
  await stage.clear()
  await (fox as Browser | undefined)?.close()
  await stage.close()
})

it('messages go there and back', async () => {
  await bob.opensChat('ada')
  await ada.opensChat('bob')
  await bob.seesState('Are you there?', 'Read')
  await ada.says('Since this morning.')
  await bob.sees('Since this morning.')
  await bob.says('Then I call you.')
  await ada.sees('Then I call you.')
  await ada.seesState('Since this morning.', 'Read')
})

it.each([
  ['Chromium', () => [bob, ada] as const],
  ['Firefox', () => [ada, bob] as const],
])('they see and hear each other when %s calls, and it is in the chat', async (_, who) => {
  const [caller, callee] = who()
  await begins(caller, 'Video call')
  await incoming(callee).getByText('Video call').waitFor()
  await accepts(callee, 'Accept with video')
  await Promise.all([talks(caller), talks(callee)])
  for (const person of [caller, callee]) {
    await flows(person, ['audio', 'video'])
    expect((await counts(person)).way).not.toContain('relay')
    await expect.poll(() => call(person).locator('video.far').evaluate((video: HTMLVideoElement) => video.videoWidth > 0 && video.currentTime > 0)).toBe(true)
  }
  await does(caller, 'Mute')
  await call(callee).getByText(`${caller.name} is muted`).waitFor()
  await does(caller, 'Turn camera off')
  await expect.poll(() => call(callee).getAttribute('class')).not.toContain('pictured')
  await does(caller, 'Turn camera on')
  await expect.poll(() => call(callee).getAttribute('class')).toContain('pictured')
  await does(callee, 'Hang up')
  await Promise.all([isOver(caller), isOver(callee)])
  for (const person of [caller, callee]) await record(person, /Video call\s*\d:\d\d/).waitFor()
})
