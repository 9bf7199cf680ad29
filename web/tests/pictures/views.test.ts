/**
 * Pictures of the views, in web/pictures, to be looked at: on a desk in light, in dark and Chinese, and on a phone in both.
 * ONLY=phone-chat,desk-group takes these alone.
 */
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, it } from 'vitest'
import { ServerApi } from '../e2e/server-api'
import { Stage } from '../e2e/stage'
import type { Visitor } from '../e2e/visitor'
import { setScene, type Scene } from './scene'

const FOLDER = fileURLToPath(new URL('../../pictures/', import.meta.url))
const OPERATOR = 'operator'
const only = process.env.ONLY?.split(',')

const DESK = { viewport: { width: 1280, height: 820 } }
const PHONE = { viewport: { width: 380, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }
const LOOKS: Record<string, BrowserContextOptions> = {
  desk: DESK,
  dark: { ...DESK, colorScheme: 'dark' },
  'dark-zh': { ...DESK, colorScheme: 'dark', locale: 'zh-CN' },
  phone: PHONE,
  'phone-dark': { ...PHONE, colorScheme: 'dark' },
  'phone-zh': { ...PHONE, colorScheme: 'dark', locale: 'zh-CN' },
}

let stage: Stage
let api: ServerApi
let scene: Scene
beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true })
  stage = await Stage.open({ admins: [OPERATOR] })
  api = new ServerApi(stage.server.http)
  scene = await setScene(api, stage.browser)
}, 120_000)
afterAll(() => stage.close())

const inChat = async (page: Page) => {
  await page.locator('article .text').last().waitFor()
  await page.locator('img').evaluateAll((pictures) => Promise.all(pictures.map((picture) => (picture as HTMLImageElement).decode().catch(() => {}))))
}

/** Where each picture is taken, and what is waited for. */
const VIEWS = (): Record<string, [path: string, ready?: (page: Page) => Promise<unknown>]> => ({
  chat: [`/chats/${scene.single}`, inChat],
  group: [`/chats/${scene.group}`, inChat],
  'group-info': [`/chats/${scene.group}/info`],
  chats: ['/chats'],
  contacts: ['/contacts'],
  requests: ['/contacts/requests', (page) => page.locator('li').last().waitFor()],
  contact: [`/contacts/${scene.cast.grace.userId}`],
  profile: ['/settings/profile'],
  privacy: ['/settings/privacy', (page) => page.locator('fieldset:not(:disabled)').first().waitFor()],
  password: ['/settings/password'],
})

const OPERATORS_VIEWS: Record<string, string> = { overview: '/admin/overview', limits: '/admin/limits', notices: '/admin/notices', invites: '/admin/invites', users: '/admin/users', 'new-user': '/admin/new-user' }

async function take(visitor: Visitor, name: string): Promise<void> {
  await visitor.isSettled()
  // Names that have been asked for are there.
  await visitor.page.waitForFunction(() => [...document.querySelectorAll('.avatar .letters')].every(({ textContent }) => textContent !== ''))
  await visitor.page.evaluate(() => document.fonts.ready)
  // A picture is of what is there, not of what moves.
  await visitor.page.screenshot({ path: `${FOLDER}${name}.png`, animations: 'disabled', caret: 'hide' })
}

const isWanted = (name: string) => only === undefined || only.includes(name)
const TIMES = { timeout: 180_000 }

it.each(Object.entries(LOOKS))('the pages, %s', TIMES, async (look, options) => {
  const views = Object.entries(VIEWS()).filter(([view]) => isWanted(`${look}-${view}`))
  if (views.length === 0) return
  const ada = await stage.visitor('ada.lovelace', { reducedMotion: 'reduce', ...options })
  await ada.logInAnyLanguage()
  for (const [view, [path, ready]] of views) {
    await ada.go(path)
    await ready?.(ada.page)
    await take(ada, `${look}-${view}`)
  }
  await stage.clear()
})

it.each(Object.entries(LOOKS))('a call, %s', TIMES, async (look, options) => {
  if (!['ringing', 'calling', 'talking', 'small', 'over'].some((view) => isWanted(`${look}-call-${view}`))) return
  const both = { reducedMotion: 'reduce' as const, ...options }
  const [ada, grace] = [await stage.visitor('ada.lovelace', both), await stage.visitor('grace_hopper', both)]
  await ada.logInAnyLanguage()
  await grace.logInAnyLanguage()
  await ada.go(`/chats/${scene.single}`)
  await inChat(ada.page)
  await ada.page.getByRole('button', { name: /^(Voice call|语音通话)$/ }).first().click()
  const rings = grace.page.getByRole('alertdialog')
  await rings.locator('img').waitFor()
  await take(grace, `${look}-call-ringing`)
  await take(ada, `${look}-call-calling`)
  await rings.getByRole('button', { name: /^(Accept|接听)$/ }).click()
  const talk = grace.page.getByRole('dialog')
  await talk.locator('.clock').filter({ hasText: /^\d+:\d\d$/ }).waitFor()
  await take(grace, `${look}-call-talking`)
  await talk.getByRole('button', { name: /^(Make small|缩小)$/ }).click()
  await take(grace, `${look}-call-small`)
  ada.cable.cut()
  await talk.getByText(/Reconnecting|正在重新连接|重新连接/).first().waitFor()
  await take(grace, `${look}-call-reconnecting`)
  await talk.getByRole('button', { name: /^(Hang up|挂断)$/ }).click()
  await take(grace, `${look}-call-over`)
  await stage.clear()
})

it.each(Object.entries(LOOKS))('the operator’s pages, %s', TIMES, async (look, options) => {
  const views = Object.entries(OPERATORS_VIEWS).filter(([view]) => isWanted(`${look}-${view}`))
  if (views.length === 0) return
  const operator = await stage.visitor(OPERATOR, { reducedMotion: 'reduce', ...options })
  await operator.logInAnyLanguage()
  for (const [view, path] of views) {
    await operator.go(path)
    await take(operator, `${look}-${view}`)
  }
  await stage.clear()
})
