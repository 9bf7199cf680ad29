/** People call each other: sound and picture go from browser to browser, and are counted there. */
import type { BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { accepts, begins, call, counts, does, flows, incoming, isOver, record, talks, talksOnlyThroughRelays, watchConnections } from './callers'
import { faults } from './faults'
import { ServerApi } from './server-api'
import { Stage } from './stage'
import { TurnServer } from './turn'
import type { Visitor } from './visitor'

let stage: Stage
let turn: TurnServer
let api: ServerApi
/** A call that nobody answers: it rings for half a minute, while the other tests run. */
let unanswered: { callers: Visitor[]; isOver: Promise<unknown> }

beforeAll(async () => {
  turn = await TurnServer.start()
  stage = await Stage.open({ settings: turn.settings })
  api = new ServerApi(stage.server.http)
  const callers = await people(2)
  const [ada, bob] = callers as [Visitor, Visitor]
  stage.visitors.length = 0
  await begins(ada, 'Voice call')
  await incoming(bob).waitFor()
  const isOver = call(ada).getByText('No answer').first().waitFor({ timeout: RINGS_MS })
  isOver.catch(() => {})
  unanswered = { callers, isOver }
})
afterEach(() => stage.clear())
afterAll(async () => {
  await (stage as Stage | undefined)?.close()
  await turn.stop()
})

/** How long it may be until nobody has answered, in milliseconds. */
const RINGS_MS = 60_000

let names = 0
/** People who chat with each other, each looking at the chat with the first. The first looks at the one with the second. */
async function people(count: number, options: BrowserContextOptions[] = [], relayOnly = false): Promise<Visitor[]> {
  names += 1
  const all = ['ada', 'bob', 'cem'].slice(0, count).map((name) => `${name}${names}`)
  const callers = await Promise.all(all.map((name) => api.register(name)))
  for (const other of callers.slice(1)) await other.post('/api/messages', { to: callers[0]!.userId, body: 'Call me.' })
  return Promise.all(
    all.map(async (name, index) => {
      const visitor = await stage.visitor(name, options[index])
      await watchConnections(visitor)
      if (relayOnly) await talksOnlyThroughRelays(visitor)
      await visitor.logInAnyLanguage()
      await visitor.page.locator(`a[href^="/chats/"]`).filter({ hasText: index === 0 ? all[1]! : all[0]! }).click()
      await visitor.page.locator('textarea').waitFor()
      return visitor
    }),
  )
}

it('two people see and hear each other, and both find the call in the chat', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await begins(ada, 'Video call')
  await incoming(bob).getByText('Video call').waitFor()
  await call(ada).getByText('Ringing…').first().waitFor()
  await accepts(bob, 'Accept with video')
  await Promise.all([talks(ada), talks(bob)])
  await Promise.all([flows(ada, ['audio', 'video']), flows(bob, ['audio', 'video'])])
  for (const person of [ada, bob]) expect((await counts(person)).way).not.toContain('relay')
  // What is shown is what came: a picture that moves.
  const far = call(bob).locator('video.far')
  await expect.poll(() => far.evaluate((video: HTMLVideoElement) => video.videoWidth > 0 && video.currentTime > 0)).toBe(true)

  await does(bob, 'Mute')
  await call(ada).getByText(`${bob.name} is muted`).waitFor()
  await does(bob, 'Unmute')
  await call(ada).getByText(`${bob.name} is muted`).waitFor({ state: 'detached' })
  await does(bob, 'Turn camera off')
  await expect.poll(() => call(ada).getAttribute('class')).not.toContain('pictured')
  await does(bob, 'Turn camera on')
  await expect.poll(() => call(ada).getAttribute('class')).toContain('pictured')
  await flows(ada, ['video'])

  // The chat can be used meanwhile.
  await ada.page.keyboard.press('Escape')
  await ada.says('Can you see me?')
  await ada.seesState('Can you see me?', 'Read')
  await does(ada, 'Back to the call')
  await does(ada, 'Hang up')
  await call(bob).getByText(/Call ended · \d:\d\d/).first().waitFor()
  await Promise.all([isOver(ada), isOver(bob)])
  for (const person of [ada, bob]) await record(person, /Video call\s*\d:\d\d/).waitFor()
  // Camera and microphone are let go.
  await expect.poll(async () => (await counts(ada).catch(() => undefined))?.packets['outbound video'] ?? 0).toBe(0)
})

it('devices that may not reach each other directly do so through the TURN server', async () => {
  const [ada, bob] = (await people(2, [], true)) as [Visitor, Visitor]
  await begins(ada, 'Voice call')
  await accepts(bob)
  await Promise.all([talks(ada), talks(bob)])
  await Promise.all([flows(ada, ['audio']), flows(bob, ['audio'])])
  for (const person of [ada, bob]) expect((await counts(person)).way).toEqual(['relay', 'relay'])
  // A camera that is turned on in a call without pictures takes the same way.
  await does(bob, 'Turn camera on')
  await expect.poll(() => call(ada).getAttribute('class')).toContain('pictured')
  await expect.poll(async () => (await counts(ada)).packets['inbound video']).toBeGreaterThan(20)
  await does(bob, 'Hang up')
  await Promise.all([isOver(ada), isOver(bob)])
})

it('whoever does not want to, or talks to somebody else, can not be called, and can call back', async () => {
  const [ada, bob, cem] = (await people(3)) as [Visitor, Visitor, Visitor]
  await begins(ada, 'Voice call')
  await incoming(bob).getByRole('button', { name: 'Decline' }).click()
  await call(ada).getByText('Call declined').first().waitFor()
  await does(ada, 'Close')
  await record(ada, /Voice call\s*Declined/).waitFor()
  await record(bob, /Voice call\s*You declined/).waitFor()

  // Bob calls back from the record, and cem finds ada busy.
  await record(bob, /You declined/).getByRole('button', { name: 'Call back' }).click()
  await accepts(ada)
  await Promise.all([talks(ada), talks(bob)])
  await begins(cem, 'Voice call')
  await call(cem).getByText('Busy with another call').first().waitFor()
  await does(cem, 'Close')
  await record(cem, /Voice call\s*Busy/).waitFor()
  await does(bob, 'Hang up')
  await Promise.all([isOver(ada), isOver(bob)])
  await ada.opensChat(cem.name)
  await record(ada, 'Missed voice call').waitFor()
})

it('rings in every tab, is answered in one, and ends with it', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  const second = await bob.tab('/chats')
  await second.page.getByRole('link', { name: ada.name }).waitFor()
  await begins(ada, 'Voice call')
  await incoming(bob).waitFor()
  await accepts(second)
  await incoming(bob).waitFor({ state: 'detached' })
  await bob.page.getByText(`In a call with ${ada.name} in another tab`).waitFor()
  await Promise.all([talks(ada), talks(second)])
  // The tab closes without a word.
  await second.page.close()
  await call(ada).getByText(/Call ended/).first().waitFor()
  await bob.page.getByText(/In a call with/).waitFor({ state: 'detached' })
})

it('whoever loses the line to the server talks on when it is back, muted as before, and it is one call to both', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  const tablet = await bob.tab('/chats')
  await tablet.page.getByRole('link', { name: ada.name }).waitFor()
  await begins(ada, 'Video call')
  await accepts(bob, 'Accept with video')
  await Promise.all([talks(ada), talks(bob)])
  await does(ada, 'Mute')
  ada.cable.cut()
  await Promise.all([ada, bob].map((person) => call(person).getByText('Reconnecting…').first().waitFor()))
  ada.cable.mend()
  await Promise.all([talks(ada), talks(bob)])
  await Promise.all([flows(ada, ['audio', 'video']), flows(bob, ['audio', 'video'])])
  await call(bob).getByText(`${ada.name} is muted`).waitFor()
  expect(await incoming(tablet).count()).toBe(0)
  await does(bob, 'Hang up')
  await Promise.all([isOver(ada), isOver(bob)])
  for (const person of [ada, bob]) {
    await record(person, /Video call\s*\d:\d\d/).waitFor()
    expect(await person.messages.locator('.record').count()).toBe(1)
  }
})

it('a call goes on that both were thrown out of, as a server that was killed does', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await begins(ada, 'Voice call')
  await accepts(bob)
  await Promise.all([talks(ada), talks(bob)])
  await stage.server.kill()
  await Promise.all([ada, bob].map((person) => call(person).getByText('Reconnecting…').first().waitFor()))
  await stage.server.run()
  await Promise.all([talks(ada), talks(bob)])
  await Promise.all([flows(ada, ['audio']), flows(bob, ['audio'])])
  await does(ada, 'Hang up')
  await Promise.all([isOver(ada), isOver(bob)])
})

it('whoever hangs up while the other is away is not called back', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await begins(ada, 'Voice call')
  await accepts(bob)
  await Promise.all([talks(ada), talks(bob)])
  ada.cable.cut()
  await call(bob).getByText('Reconnecting…').first().waitFor()
  await does(bob, 'Hang up')
  await isOver(bob)
  // Nobody has to wait until it is written down.
  await record(bob, /Voice call\s*\d:\d\d/).waitFor()
  ada.cable.mend()
  await call(ada).getByText(/Call ended|Call declined/).first().waitFor()
  expect(await incoming(bob).count()).toBe(0)
  expect(await bob.messages.locator('.record').count()).toBe(1)
})

it('two whose way is gone find another, and stay in their call', async () => {
  const [ada, bob] = (await people(2, [], true)) as [Visitor, Visitor]
  await begins(ada, 'Voice call')
  await accepts(bob)
  await Promise.all([talks(ada), talks(bob)])
  await Promise.all([flows(ada, ['audio']), flows(bob, ['audio'])])
  await turn.forget()
  // Within the same connection: nobody has called again.
  await Promise.all([flows(ada, ['audio']), flows(bob, ['audio'])])
  for (const person of [ada, bob]) expect(await person.page.evaluate('connections.length')).toBe(1)
  await Promise.all([talks(ada), talks(bob)])
  await does(bob, 'Hang up')
  await Promise.all([isOver(ada), isOver(bob)])
})

it('of two who call each other at once, both get through', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  // Bob takes his time to allow the microphone.
  await bob.page.evaluate(() => {
    const { mediaDevices } = navigator
    const open = mediaDevices.getUserMedia.bind(mediaDevices)
    mediaDevices.getUserMedia = async (wanted) => {
      await new Promise((resolve) => addEventListener('allow', resolve, { once: true }))
      return open(wanted)
    }
  })
  await begins(bob, 'Voice call')
  await call(bob).getByText('Opening microphone…').first().waitFor()
  await begins(ada, 'Voice call')
  await call(ada).getByText('Ringing…').first().waitFor()
  await expect.poll(async () => {
    await bob.page.evaluate(() => dispatchEvent(new Event('allow')))
    return call(bob).locator('.clock').innerText()
  }).toMatch(/^\d+:\d\d$/)
  await talks(ada)
})

it('says what to do about a microphone that can not be had, and bothers nobody', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  for (const [name, words] of [
    ['NotAllowedError', /does not let this page use the microphone/],
    ['NotFoundError', /No microphone was found/],
    ['NotReadableError', /Another program uses/],
  ] as const) {
    await ada.page.evaluate((error) => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', error))
    }, name)
    await begins(ada, 'Voice call')
    await call(ada).getByText(words).first().waitFor()
    await does(ada, 'Close')
    await isOver(ada)
  }
  expect(await incoming(bob).count()).toBe(0)
  await ada.says('I have no microphone.')
  await bob.sees('I have no microphone.')
  expect(await bob.messages.locator('.record').count()).toBe(0)
})

it('whoever looks elsewhere is told that somebody calls, until it is over', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await bob.context.addInitScript(() => {
    if (location.origin === 'null') return
    localStorage.setItem('petrel.notices', 'true')
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })
    const told = new Set<string>()
    class Told {
      static readonly permission = 'granted'
      readonly #words: string
      constructor(title: string, { body }: { body: string }) {
        told.add((this.#words = `${title}: ${body}`))
      }
      close(): void {
        told.delete(this.#words)
      }
    }
    Object.assign(globalThis, { Notification: Told, told })
  })
  await bob.go('/contacts')
  const second = await bob.tab('/contacts')
  await second.page.getByRole('heading', { name: 'Contacts', level: 1 }).waitFor()
  const told = async () => (await Promise.all([bob, second].map(({ page }) => page.evaluate<string[]>('[...told]')))).flat()
  await begins(ada, 'Voice call')
  await expect.poll(told).toEqual([`${ada.name} is calling: Voice call`])
  await does(ada, 'Hang up')
  // What is told now is that a call was missed.
  await expect.poll(told).toEqual([`${ada.name}: Missed voice call`])
})

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

it.each<[string, BrowserContextOptions]>([
  ['in light', {}],
  ['in dark', { colorScheme: 'dark' }],
  ['on a phone, in Chinese and dark', { ...PHONE, locale: 'zh-CN', colorScheme: 'dark' }],
])('nothing keeps anybody from taking a call %s', async (_, options) => {
  const look = { reducedMotion: 'reduce' as const, ...options }
  const [ada, bob] = (await people(2, [look, look])) as [Visitor, Visitor]
  const found: string[] = []
  await ada.page.locator('header').getByRole('button', { name: /^(Video call|视频通话)$/ }).click()
  await incoming(bob).waitFor()
  found.push(...(await faults(bob)), ...(await faults(ada)))
  await accepts(bob, /Accept with video|视频接听/)
  await call(bob).locator('video.far:not(.hidden)').waitFor()
  found.push(...(await faults(bob)))
  await call(bob).getByRole('button', { name: /^(Devices|设备)$/ }).click()
  await bob.page.locator('.call-devices select').first().waitFor()
  found.push(...(await faults(bob)))
  await bob.page.keyboard.press('Escape')
  await call(bob).getByRole('button', { name: /^(Make small|缩小)$/ }).click()
  found.push(...(await faults(bob)))
  const overhang = await bob.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  expect(overhang).toBeLessThanOrEqual(0)
  await call(bob).getByRole('button', { name: /^(Hang up|挂断)$/ }).click()
  await isOver(bob)
  await bob.page.locator('article .record').waitFor()
  found.push(...(await faults(bob)))
  expect(found).toEqual([])
})

it('whom nobody answers is told so, and whoever was not there finds it in the chat', async () => {
  const [ada, bob] = unanswered.callers as [Visitor, Visitor]
  stage.visitors.push(ada, bob)
  await unanswered.isOver
  await incoming(bob).waitFor({ state: 'detached' })
  await record(ada, /Voice call\s*No answer/).waitFor()
  await record(bob, 'Missed voice call').waitFor()
  // Both are free to call.
  await record(bob, 'Missed voice call').getByRole('button', { name: 'Call back' }).click()
  await accepts(ada)
  await Promise.all([talks(ada), talks(bob)])
  await does(ada, 'Hang up')
  await isOver(bob)
})
