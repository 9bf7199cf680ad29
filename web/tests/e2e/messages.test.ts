/** What people do with messages that are there: pin, delete for themselves, look who has read, search. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { ServerApi } from './server-api'
import { Stage } from './stage'
import type { Visitor } from './visitor'

let stage: Stage
let ada: Visitor
let bob: Visitor

beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage.close())

let names = 0
/** Two friends in a chat with each other. */
async function begin(...texts: [string, ...string[]]): Promise<void> {
  names += 1
  const api = new ServerApi(stage.server.http)
  const [one, other] = [await api.register(`ada${names}`), await api.register(`bob${names}`)]
  await one.post(`/api/contacts/${other.userId}/apply`)
  await other.post(`/api/contacts/${one.userId}/accept`)
  ;[ada, bob] = await Promise.all([`ada${names}`, `bob${names}`].map(async (name) => (await stage.visitor(name)).logIn())) as [Visitor, Visitor]
  await ada.opensChatWith(bob)
  for (const [index, text] of texts.entries()) {
    await ada.says(text)
    // The first one makes the chat what it is from then on.
    if (index === 0) await ada.seesState(text, 'Delivered')
  }
  await bob.opensChat(ada.name)
  await bob.sees(texts.at(-1)!)
}

const pinsOf = ({ page }: Visitor) => page.getByRole('region', { name: /pinned message/ })

it('what one pins both see on top, the newest first, and find again', async () => {
  await begin('The tide is at six.', 'The key is under the mat.', 'Good night.')
  await ada.choose('The tide is at six.', 'Pin')
  await pinsOf(bob).getByText('The tide is at six.').waitFor()
  await bob.page.getByText(`${ada.name} pinned a message`).waitFor()
  await bob.choose('The key is under the mat.', 'Pin')
  for (const person of [ada, bob]) await pinsOf(person).getByText('The key is under the mat.').waitFor()
  await pinsOf(ada).getByText('2/2').waitFor()
  await pinsOf(ada).getByTitle('Go to the pinned message').click()
  await pinsOf(ada).getByText('The tide is at six.').waitFor()

  // It is there for a device that comes later, and goes for everybody.
  const tablet = await stage.visitor('tablet')
  await tablet.logIn(ada.name)
  await tablet.opensChat(bob.name)
  await pinsOf(tablet).getByText('2/2').waitFor()
  await pinsOf(tablet).getByRole('button', { name: 'All pinned messages' }).click()
  await tablet.page.getByRole('dialog').getByRole('listitem').filter({ hasText: 'The key is under the mat.' }).getByRole('button', { name: 'Unpin' }).click()
  for (const person of [ada, bob]) await pinsOf(person).getByText('The tide is at six.').waitFor()
  await bob.choose('The tide is at six.', 'Unpin')
  for (const person of [ada, bob]) await pinsOf(person).waitFor({ state: 'detached' })
})

it('what one deletes is gone on all devices of that person, and on no other', async () => {
  await begin('one', 'two', 'three', 'four')
  const tablet = await stage.visitor('tablet')
  await tablet.logIn(bob.name)
  await tablet.opensChat(ada.name)
  await tablet.sees('two')
  await bob.choose('two', 'Delete for me')
  await bob.confirms('Delete for me')
  for (const person of [bob, tablet]) await expect.poll(() => person.texts()).toEqual(['one', 'three', 'four'])

  // Several at once.
  await bob.choose('three', 'Select')
  await bob.message('four').click()
  await bob.page.getByRole('toolbar', { name: 'Select' }).getByRole('button', { name: 'Delete for me' }).click()
  await bob.confirms('Delete for me')
  for (const person of [bob, tablet]) await expect.poll(() => person.texts()).toEqual(['one'])

  // All of it; what comes later is there.
  await bob.page.getByRole('region', { name: 'Chats' }).getByRole('link', { name: ada.name }).click({ button: 'right' })
  await bob.page.getByRole('menuitem', { name: 'Clear history' }).click()
  await bob.confirms('Clear history')
  for (const person of [bob, tablet]) await expect.poll(() => person.texts()).toEqual([])
  await ada.says('five')
  for (const person of [bob, tablet]) await person.sees('five')
  await bob.page.reload()
  await bob.sees('five')
  expect(await bob.texts()).toEqual(['five'])
  expect(await ada.texts()).toEqual(['one', 'two', 'three', 'four', 'five'])
})

it('who has written in a group can see who has read it', async () => {
  await begin('hello')
  await ada.go('/contacts/new-group')
  await ada.page.getByLabel('Name of the group').fill('Harbour watch')
  await ada.page.getByRole('checkbox', { name: bob.name }).click()
  await ada.page.getByRole('button', { name: 'Create group' }).click()
  await ada.says('Who has the key?')
  await bob.opensChat('Harbour watch')
  await bob.sees('Who has the key?')
  const dialog = ada.page.getByRole('dialog', { name: 'Who has read it' })
  await expect.poll(async () => {
    await ada.choose('Who has the key?', 'Who has read it')
    await dialog.getByText(bob.name).waitFor()
    const isRead = await dialog.getByRole('heading', { name: /^Read/ }).isVisible()
    if (!isRead) await dialog.getByRole('button', { name: 'Close' }).click()
    return isRead
  }).toBe(true)
  // The others are not asked for what is not theirs.
  await bob.message('Who has the key?').locator('.bubble').click({ button: 'right' })
  await bob.page.getByRole('menuitem', { name: 'Reply' }).waitFor()
  expect(await bob.page.getByRole('menuitem', { name: 'Who has read it' }).count()).toBe(0)
})

it('messages are found in one chat and in all, and shown where they are', async () => {
  await begin('Who is at the harbour?', 'The café is closed.')
  for (let line = 0; line < 40; line += 1) await bob.says(`line ${line}`)
  await bob.sees('line 39')
  await expect.poll(() => bob.message('Who is at the harbour?').isVisible()).toBe(false)
  const { page } = bob
  await page.getByRole('banner').or(page.locator('.chat')).getByRole('button', { name: 'Search in this chat' }).first().click()
  const panel = page.getByRole('complementary', { name: 'Search in this chat' })
  await panel.getByLabel('Search in this chat').fill('harb')
  const hit = panel.getByRole('listitem').filter({ hasText: 'Who is at the harbour?' })
  await expect.poll(async () => {
    const again = panel.getByRole('button', { name: 'Search again' })
    if (await again.isVisible()) await again.click()
    return hit.count()
  }).toBe(1)
  expect(await hit.locator('mark').allInnerTexts()).toEqual([expect.stringMatching(/^harb/)])
  await hit.getByRole('button').click()
  await bob.sees('Who is at the harbour?')

  // Kinds filter; nothing is found in what there is none of.
  await panel.getByRole('button', { name: 'Photos' }).click()
  await panel.getByText('Nothing found').waitFor()

  await page.goto('/chats')
  await page.getByLabel('Search chats').fill('cafe')
  const everywhere = page.getByRole('region', { name: 'Messages' }).getByRole('listitem').filter({ hasText: 'The café is closed.' })
  await everywhere.getByRole('button').click()
  await page.waitForURL(/\/chats\/\d+$/)
  await bob.sees('The café is closed.')
})

it('who hides whether they are online looks offline', async () => {
  await begin('hello')
  await ada.page.getByText('Online', { exact: true }).first().waitFor()
  await bob.go('/settings/privacy')
  await bob.page.getByRole('switch', { name: /Hide when I am online/ }).click()
  await expect.poll(() => ada.page.getByText('Online', { exact: true }).count()).toBe(0)
  await bob.page.reload()
  await expect.poll(() => bob.page.getByRole('switch', { name: /Hide when I am online/ }).isChecked()).toBe(true)
})
