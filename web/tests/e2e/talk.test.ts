/** People get to know each other, talk, go away and come back. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Stage } from './stage'
import type { Visitor } from './visitor'

let stage: Stage

beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage.close())

let names = 0
async function people(count: number): Promise<Visitor[]> {
  names += 1
  const all = ['ada', 'bob', 'cem'].slice(0, count).map((name) => stage.visitor(`${name}${names}`))
  return Promise.all((await Promise.all(all)).map((visitor) => visitor.register()))
}

async function befriend(one: Visitor, other: Visitor): Promise<void> {
  const word = `from ${one.name}`
  await one.asksToBeFriends(other, word)
  await other.accepts(one, word)
}

it('register, befriend, chat, go offline, catch up, found a group, recall', async () => {
  const [ada, bob, cem] = (await people(3)) as [Visitor, Visitor, Visitor]
  await befriend(ada, bob)
  await befriend(ada, cem)

  await ada.opensChatWith(bob)
  await ada.says('The storm is over.')
  await ada.seesState('The storm is over.', 'Delivered')
  await expect.poll(() => bob.page.title()).toBe('(1) Petrel')
  await bob.opensChat(ada.name)
  await bob.sees('The storm is over.')
  await ada.seesState('The storm is over.', 'Read')
  await bob.says('Then we sail.')
  await ada.sees('Then we sail.')

  // Away, and back.
  bob.cable.cut()
  await bob.status.waitFor()
  await ada.says('At six?')
  await ada.says('Or at seven?')
  await ada.seesState('Or at seven?', 'Sent')
  await bob.says('written without a network')
  await bob.seesState('written without a network', 'Sending')
  bob.cable.mend()
  await bob.sees('Or at seven?')
  await ada.sees('written without a network')
  const talk = ['The storm is over.', 'Then we sail.', 'At six?', 'Or at seven?', 'written without a network']
  for (const person of [ada, bob]) await expect.poll(() => person.texts()).toEqual(talk)

  // A group of three.
  await ada.go('/contacts/new-group')
  await ada.page.getByLabel('Name of the group').fill('Harbour watch')
  for (const { name } of [bob, cem]) await ada.page.getByRole('checkbox', { name }).click()
  await ada.page.getByRole('button', { name: 'Create group' }).click()
  await ada.says('Who has the key?')
  for (const person of [bob, cem]) {
    await person.opensChat('Harbour watch')
    await person.sees('Who has the key?')
  }
  await cem.says('I have it')
  await ada.sees('I have it')

  // Said too soon.
  await cem.choose('I have it', 'Recall')
  await cem.page.getByRole('alertdialog').or(cem.page.getByRole('dialog')).getByRole('button', { name: 'Recall' }).click()
  for (const person of [ada, bob, cem]) await person.message('I have it').waitFor({ state: 'detached' })
  await ada.page.getByText(`${cem.name} recalled a message`).first().waitFor()
})

it('whoever wants to be asked first is invited into groups, and comes in or does not', async () => {
  const [ada, bob, cem] = (await people(3)) as [Visitor, Visitor, Visitor]
  await befriend(ada, bob)
  await befriend(ada, cem)
  await bob.go('/settings/privacy')
  const saved = bob.page.waitForResponse((response) => response.url().endsWith('/api/users/me/settings') && response.request().method() === 'PATCH')
  await bob.page.getByText('Nobody', { exact: true }).click()
  expect((await saved).ok()).toBe(true)

  const found = async (title: string) => {
    await ada.go('/contacts/new-group')
    await ada.page.getByLabel('Name of the group').fill(title)
    for (const { name } of [bob, cem]) await ada.page.getByRole('checkbox', { name }).click()
    await ada.page.getByRole('button', { name: 'Create group' }).click()
    await ada.page.getByText(`${bob.name} is invited, and decides whether to come in`).waitFor()
    await ada.page.getByText(`You invited ${bob.name}`).first().waitFor()
  }
  await found('Harbour watch')
  await cem.opensChat('Harbour watch')

  const invitations = bob.page.getByRole('listitem').filter({ hasText: `${ada.name} invites you` })
  await bob.go('/contacts/requests')
  await bob.page.getByRole('link', { name: /Requests and invitations\s*1/ }).waitFor()
  await invitations.filter({ hasText: 'Harbour watch' }).waitFor()
  await invitations.getByRole('button', { name: 'Accept' }).click()
  await bob.page.waitForURL(/\/chats\/\d+$/)
  await bob.composer.waitFor()
  await ada.says('Who has the key?')
  await bob.sees('Who has the key?')
  await ada.page.getByText(`${bob.name} joined`).first().waitFor()

  await found('Pier')
  await bob.go('/contacts/requests')
  await invitations.filter({ hasText: 'Pier' }).waitFor()
  expect(await invitations.count()).toBe(1)
  await invitations.getByRole('button', { name: 'Decline' }).click()
  await bob.page.getByText('No requests').waitFor()
  await ada.page.getByText(`${bob.name} did not accept the invitation`).first().waitFor()

  // A browser that was not there is told what waits.
  await found('Slipway')
  const tablet = await stage.visitor('tablet')
  await tablet.logIn(bob.name)
  await tablet.go('/contacts/requests')
  await tablet.page.getByRole('listitem').filter({ hasText: 'Slipway' }).getByText(`${ada.name} invites you`).waitFor()

  // Who runs the group sees who has not answered, and takes it back.
  await ada.go(`${new URL(ada.page.url()).pathname}/info`)
  const invited = ada.page.getByRole('listitem').filter({ hasText: `by ${ada.name}, until` })
  await invited.filter({ hasText: bob.name }).waitFor()
  await invited.getByRole('button', { name: 'Withdraw' }).click()
  await ada.page.getByText(`${bob.name} is no longer invited`).waitFor()
  await invited.waitFor({ state: 'detached' })
  await tablet.page.getByText('Slipway').waitFor({ state: 'detached' })
})

it('a server that is killed in mid-conversation loses nothing and doubles nothing', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await befriend(ada, bob)
  await ada.opensChatWith(bob)
  await ada.says('ada 0')
  await bob.opensChat(ada.name)
  await bob.sees('ada 0')
  const sent = ['ada 0']
  for (let round = 1; round <= 2; round += 1) {
    const say = async (person: Visitor, text: string) => {
      await person.says(text)
      sent.push(text)
    }
    await say(ada, `ada ${round} before`)
    await say(bob, `bob ${round} before`)
    await stage.server.kill()
    for (const person of [ada, bob]) await person.status.waitFor()
    await say(ada, `ada ${round} while it is away`)
    await say(bob, `bob ${round} while it is away`)
    await ada.seesState(`ada ${round} while it is away`, 'Sending')
    await stage.server.run()
    for (const person of [ada, bob]) {
      await person.page.getByRole('button', { name: 'Connect now' }).click({ timeout: 2_000 }).catch(() => {})
      await person.status.waitFor({ state: 'detached' })
    }
  }
  for (const text of sent) await Promise.all([ada.sees(text), bob.sees(text)])
  const seen = await ada.texts()
  expect([...seen].sort()).toEqual([...sent].sort())
  expect(await bob.texts()).toEqual(seen)
  // Each one's own order is kept.
  for (const name of ['ada', 'bob']) expect(seen.filter((text) => text.startsWith(name))).toEqual(sent.filter((text) => text.startsWith(name)))
  // And it is so on disk, too.
  const tablet = await stage.visitor('tablet')
  await tablet.logIn(bob.name)
  await tablet.opensChat(ada.name)
  await expect.poll(() => tablet.texts()).toEqual(seen)
})

it('two tabs show the same, and one may go', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await befriend(ada, bob)
  await ada.opensChatWith(bob)
  await ada.says('one')
  await ada.seesState('one', 'Delivered')
  const second = await ada.tab('/chats')
  await second.opensChat(bob.name)
  await second.sees('one')
  await second.says('two')
  await ada.sees('two')
  // The first tab, which led, goes; the other takes over.
  await ada.page.close()
  await second.says('three')
  await second.seesState('three', 'Delivered')
  await bob.opensChat(ada.name)
  await bob.says('four')
  await second.sees('four')
  expect(await second.texts()).toEqual(['one', 'two', 'three', 'four'])
})

it('messages that were not sent survive a reload', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await befriend(ada, bob)
  await ada.opensChatWith(bob)
  await ada.says('first')
  await ada.seesState('first', 'Delivered')
  await ada.page.evaluate(() => navigator.serviceWorker.ready)
  await stage.server.kill()
  await ada.status.waitFor()
  await ada.says('kept')
  await ada.says('kept, too')
  await ada.seesState('kept, too', 'Sending')
  // The page itself comes from the service worker: there is no server.
  await ada.page.reload()
  await ada.sees('kept, too')
  await stage.server.run()
  await ada.page.getByRole('button', { name: 'Connect now' }).click({ timeout: 2_000 }).catch(() => {})
  await ada.seesState('kept, too', 'Delivered')
  await bob.opensChat(ada.name)
  await bob.sees('kept, too')
  expect(await bob.texts()).toEqual(['first', 'kept', 'kept, too'])
  // The service worker keeps the client, and nothing that anybody has written.
  const kept = await ada.page.evaluate(async () => {
    const caches = await Promise.all((await globalThis.caches.keys()).map((name) => globalThis.caches.open(name)))
    return (await Promise.all(caches.map((cache) => cache.keys()))).flat().map(({ url }) => new URL(url).pathname)
  })
  expect(kept).toContain('/')
  expect(kept.filter((path) => path !== '/' && !/^\/(assets\/|[\w-]+\.(svg|png|webmanifest)$)/.test(path))).toEqual([])
})

it('whoever looks elsewhere is told of a new message, once, by one of two tabs', async () => {
  const [ada, bob] = (await people(2)) as [Visitor, Visitor]
  await befriend(ada, bob)
  await bob.context.addInitScript(() => {
    if (location.origin === 'null') return
    localStorage.setItem('petrel.notices', 'true')
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })
    const told: string[] = []
    class Told {
      static readonly permission = 'granted'
      constructor(title: string, { body }: { body: string }) {
        told.push(`${title}: ${body}`)
      }
      close(): void {}
    }
    Object.assign(globalThis, { Notification: Told, told })
  })
  await bob.go('/contacts')
  const second = await bob.tab('/contacts')
  await second.page.getByText(ada.name).first().waitFor()
  const told = async () => (await Promise.all([bob, second].map(({ page }) => page.evaluate<string[]>('told')))).flat()
  await ada.opensChatWith(bob)
  await ada.says('Are you there?')
  await expect.poll(told).toEqual([`${ada.name}: Are you there?`])
  await ada.says('It is urgent')
  await expect.poll(told).toEqual([`${ada.name}: Are you there?`, `${ada.name}: It is urgent`])
})
