/** What everybody can use: every page, in light, in dark, on a phone and in both languages. */
import type { BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { faults } from './faults'
import { plain } from './picture'
import { Stage } from './stage'
import { ServerApi } from './server-api'
import type { Visitor } from './visitor'

let stage: Stage
let pages: string[]
/** The chat of a group, with a pinned message. */
let group: string
const NAME = 'ada'
const OPERATOR = 'root'
let operatorsPages: string[]

beforeAll(async () => {
  stage = await Stage.open({ admins: [OPERATOR] })
  const api = new ServerApi(stage.server.http)
  const [ada, bob, cem] = [await api.register(NAME), await api.register('bob'), await api.register('cem')]
  await ada.post(`/api/contacts/${bob.userId}/apply`)
  await bob.post(`/api/contacts/${ada.userId}/accept`)
  await cem.post(`/api/contacts/${ada.userId}/apply`, { message: 'We met at sea.' })
  await ada.post('/api/users/me/friend-code')
  const { conversationId } = await ada.post('/api/groups', { title: 'Harbour watch', members: [bob.userId] })
  await bob.post('/api/messages', { groupId: conversationId, body: 'Who has the key?' })
  const { serverMsgId } = await ada.post('/api/messages', { groupId: conversationId, body: 'I left it at the harbour.' })
  await ada.post(`/api/messages/${serverMsgId}/pin`)
  group = `/chats/${conversationId}`
  await bob.post('/api/messages', { to: ada.userId, body: '风暴过去了' })
  const avatar = await ada.upload('ada.png', 'image/png', plain(300, 300, 220, 30, 40))
  await ada.ask('PATCH', '/api/users/me', { displayName: 'Ada of the harbour, and of a name that is rather too long', avatar })
  await ada.ask('PATCH', `/api/groups/${conversationId}`, { announcement: 'The key hangs behind the door.\nPut it back.', description: 'Who watches when.', avatar })
  operatorsPages = ['overview', 'users', `users/${ada.userId}`, 'new-user', 'invites', 'groups', `groups/${conversationId}`, 'notices', 'limits', 'audit', 'words'].map((page) => `/admin/${page}`)
  pages = [
    '/chats', `/chats/${conversationId}`, `/chats/${conversationId}/info`,
    '/contacts', '/contacts/requests', '/contacts/add', '/contacts/blocked', '/contacts/new-group', '/contacts/join', `/contacts/${bob.userId}`, `/contacts/${cem.userId}`,
    '/settings', '/settings/profile', '/settings/appearance', '/settings/notifications', '/settings/privacy', '/settings/password', '/settings/devices', '/settings/about', '/nowhere',
  ]
})
afterEach(() => stage.clear())
afterAll(() => stage.close())

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
const LOOKS: [string, BrowserContextOptions][] = [
  ['in light', {}],
  ['in dark', { colorScheme: 'dark' }],
  ['on a phone', PHONE],
  ['in Chinese', { ...PHONE, locale: 'zh-CN', colorScheme: 'dark' }],
]

it.each(LOOKS)('nothing keeps anybody from using the pages %s', async (_, options) => {
  const visitor = await stage.visitor(NAME, { reducedMotion: 'reduce', ...options })
  const { page } = visitor
  const found: string[] = []
  for (const path of ['/login', '/register', '/reset']) {
    await page.goto(path)
    await page.locator('button[type=submit]').waitFor()
    found.push(...(await faults(visitor)))
  }
  await visitor.logInAnyLanguage()
  found.push(...(await faultsOf(visitor, pages)))
  expect(found).toEqual([])
})

it.each(LOOKS)('nor the operator’s pages, %s', async (_, options) => {
  const operator = await stage.visitor(OPERATOR, { reducedMotion: 'reduce', ...options })
  await operator.logInAnyLanguage()
  expect(await faultsOf(operator, operatorsPages)).toEqual([])
})

/** Looks at one page after the other. */
async function faultsOf(visitor: Visitor, paths: string[]): Promise<string[]> {
  const { page } = visitor
  const found: string[] = []
  for (const path of paths) {
    await page.goto(path)
    await page.locator('.shell').waitFor()
    await visitor.isSettled()
    found.push(...(await faults(visitor)))
    // Nothing sticks out at the side.
    const overhang = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    expect(overhang, `${path} is wider than the screen`).toBeLessThanOrEqual(0)
  }
  return found
}

it.each(LOOKS)('nor what stands over a chat, %s', async (_, options) => {
  const visitor = await stage.visitor(NAME, { reducedMotion: 'reduce', ...options })
  const { page } = visitor
  await visitor.logInAnyLanguage()
  await page.goto(group)
  const found: string[] = []
  await page.locator('.pins button').last().click()
  await page.locator('.dialog li').first().waitFor()
  found.push(...(await faults(visitor)))
  await page.keyboard.press('Escape')
  await page.locator('article.own .bubble').click({ button: 'right' })
  const menu = page.getByRole('menu')
  await page.getByRole('menuitem', { name: /Who has read it|谁已读/ }).waitFor()
  const { x, width } = (await menu.boundingBox())!
  expect([x >= 0, x + width <= page.viewportSize()!.width], `the menu is from ${x} on, ${width} wide`).toEqual([true, true])
  await page.getByRole('menuitem', { name: /Who has read it|谁已读/ }).click()
  await page.locator('.dialog li').first().waitFor()
  found.push(...(await faults(visitor)))
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: /Search in this chat|搜索聊天记录/ }).click()
  await page.locator('.panel input').fill('harbour')
  await page.locator('.panel mark').first().waitFor()
  found.push(...(await faults(visitor)))
  expect(found).toEqual([])
})
