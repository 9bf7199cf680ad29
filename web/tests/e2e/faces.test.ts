/** Names and pictures: one sets them, others see them. */
import { mkdir } from 'node:fs/promises'
import { deflateSync } from 'node:zlib'
import type { Locator } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { ServerApi, type Caller } from './server-api'
import { Stage } from './stage'
import type { Visitor } from './visitor'

let stage: Stage
let ada: Caller
let bob: Caller
let group: string

beforeAll(async () => {
  stage = await Stage.open()
  const api = new ServerApi(stage.server.http)
  ada = await api.register('ada')
  bob = await api.register('bob')
  await ada.post(`/api/contacts/${bob.userId}/apply`)
  await bob.post(`/api/contacts/${ada.userId}/accept`)
  group = (await ada.post('/api/groups', { title: 'Harbour watch', members: [bob.userId] })).conversationId
  await ada.post('/api/messages', { to: bob.userId, body: 'The storm is over.' })
  await ada.post('/api/messages', { groupId: group, body: 'Who has the key?' })
})
afterEach(() => stage.clear())
afterAll(() => stage.close())

function crc32(bytes: Buffer): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1))
  }
  return ~crc >>> 0
}

/** A PNG that is red on the left half and blue on the right (ISO 15948). */
function redAndBlue(width: number, height: number): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(name), data])
    const ends = Buffer.alloc(8)
    ends.writeUInt32BE(data.length)
    ends.writeUInt32BE(crc32(body), 4)
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width)
  head.writeUInt32BE(height, 4)
  head.set([8, 2], 8)
  const row = Buffer.concat([Buffer.from([0]), ...Array.from({ length: width }, (_, x) => Buffer.from(x < width / 2 ? [220, 30, 40] : [30, 60, 220]))])
  const rows = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)))
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))])
}

/** The colours left and right of the middle of a picture, once it is there. */
async function colours(picture: Locator): Promise<string[]> {
  await picture.waitFor()
  return picture.evaluate(async (image: HTMLImageElement) => {
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = image.naturalWidth
    canvas.height = image.naturalHeight
    const context = canvas.getContext('2d')!
    context.drawImage(image, 0, 0)
    return [0.25, 0.75].map((part) => {
      const [red, , blue] = context.getImageData(canvas.width * part, canvas.height / 2, 1, 1).data
      return red! > 150 && blue! < 90 ? 'red' : blue! > 150 && red! < 90 ? 'blue' : `${red},${blue}`
    })
  })
}

async function choosesPicture({ page }: Visitor, name = 'harbour.png'): Promise<void> {
  await page.getByRole('button', { name: 'Change picture' }).click()
  await page.getByRole('dialog').locator('input[type=file]').setInputFiles({ name, mimeType: 'image/png', buffer: redAndBlue(600, 300) })
  await page.getByRole('dialog').getByRole('group').waitFor()
}

/** Keeps a picture of a page where `SHOTS` says, for people to look at. */
async function shot({ page }: Visitor, name: string): Promise<void> {
  if (process.env.SHOTS === undefined) return
  await mkdir(process.env.SHOTS, { recursive: true })
  await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` })
}

it('who sets a name and a picture in one browser is seen with them in another', async () => {
  const adas = await (await stage.visitor('ada')).logIn()
  await adas.go('/settings/profile')
  await adas.page.getByLabel('Display name').fill('Ada of the harbour')
  await adas.page.getByRole('button', { name: 'Save' }).click()
  await adas.page.locator('p.name', { hasText: 'Ada of the harbour' }).waitFor()
  await choosesPicture(adas)
  await shot(adas, 'choosing')
  // The right half of it, by the arrow keys.
  const stageOf = adas.page.getByRole('dialog').getByRole('group')
  await stageOf.focus()
  for (let pressed = 0; pressed < 20; pressed += 1) await stageOf.press('ArrowRight')
  await adas.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  const own = adas.page.locator('.face .avatar img')
  expect(await colours(own)).toEqual(['blue', 'blue'])
  await shot(adas, 'profile')

  const bobs = await (await stage.visitor('bob')).logIn()
  const { page } = bobs
  const chats = page.getByRole('region', { name: 'Chats' })
  const line = chats.getByRole('link', { name: /^Ada of the harbour/ })
  expect(await colours(line.locator('.avatar img'))).toEqual(['blue', 'blue'])
  await line.click()
  await bobs.sees('The storm is over.')
  await page.locator('main header .avatar img, header .avatar img').first().waitFor()
  await shot(bobs, 'chats')
  await bobs.go('/contacts')
  const friend = page.getByRole('region', { name: 'Contacts' }).getByRole('link', { name: /^Ada of the harbour/ })
  await friend.getByText('ada', { exact: true }).waitFor()
  expect(await colours(friend.locator('.avatar img'))).toEqual(['blue', 'blue'])
  await shot(bobs, 'contacts')
  await bobs.go(`/chats/${group}`)
  await bobs.sees('Who has the key?')
  expect(await colours(bobs.message('Who has the key?').locator('xpath=ancestor-or-self::*[.//*[contains(@class,"avatar")]][1]').locator('.avatar img').first())).toEqual(['blue', 'blue'])
  await bobs.go(`/chats/${group}/info`)
  // With the user name beneath, since anybody may be called so.
  const member = page.getByRole('link', { name: 'Ada of the harbour ada' })
  await member.locator('.avatar img').waitFor()
  await shot(bobs, 'members')

  // Taken away again: letters, also for who has looked before.
  await adas.page.getByRole('button', { name: 'Remove picture' }).click()
  await own.waitFor({ state: 'detached' })
  await page.reload()
  await member.locator('.avatar .letters').waitFor()
})

it('an admin gives a group a picture, and its members see it', async () => {
  const adas = await (await stage.visitor('ada')).logIn()
  await adas.go(`/chats/${group}/info`)
  await choosesPicture(adas)
  await adas.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  expect(await colours(adas.page.locator('.face .avatar img'))).toEqual(['red', 'blue'])
  const bobs = await (await stage.visitor('bob')).logIn()
  await bobs.go(`/chats/${group}/info`)
  expect(await colours(bobs.page.locator('.face .avatar img'))).toEqual(['red', 'blue'])
  await shot(bobs, 'group')
})
