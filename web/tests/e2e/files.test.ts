/** Pictures and files: by dialog, paste and drop, on their way, at the other end, and those that are refused. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Locator } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { noise, plain } from './picture'
import { ServerApi } from './server-api'
import { Stage } from './stage'
import type { Visitor } from './visitor'

const IMAGE_BYTES_MAX = 200_000
const FILE_BYTES_MAX = 30_000_000

let folder: string
let stage: Stage
let ada: Visitor
let bob: Visitor

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petrel-e2e-'))
  stage = await Stage.open({ settings: { 'files.image_bytes_max': IMAGE_BYTES_MAX, 'files.file_bytes_max': FILE_BYTES_MAX } })
  const api = new ServerApi(stage.server.http)
  const [one, other] = [await api.register('ada'), await api.register('bob')]
  await one.post(`/api/contacts/${other.userId}/apply`)
  await other.post(`/api/contacts/${one.userId}/accept`)
  await one.post('/api/messages', { to: other.userId, body: 'Look at this.' })
  ada = await (await stage.visitor('ada')).logIn()
  bob = await (await stage.visitor('bob')).logIn()
  await ada.opensChat('bob')
  await bob.opensChat('ada')
})
afterAll(async () => {
  await stage.clear()
  await stage.close()
  await rm(folder, { recursive: true })
})

interface Chosen {
  name: string
  mimeType: string
  buffer: Buffer
}

const picture = (name: string, buffer: Buffer): Chosen => ({ name, mimeType: 'image/png', buffer })

async function chooses({ page }: Visitor, ...files: Chosen[]): Promise<void> {
  // From the disk: what is handed to the browser over the test's own line is slow, and some are large.
  const paths = files.map(({ name }) => join(folder, name))
  await Promise.all(files.map(({ buffer }, index) => writeFile(paths[index]!, buffer)))
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByRole('button', { name: 'Attach files' }).click()])
  await chooser.setFiles(paths)
}

/** Files as a browser hands them over when they are pasted or dropped. */
async function transfers({ page }: Visitor, target: Locator, how: 'paste' | 'drop', { name, mimeType, buffer }: Chosen): Promise<void> {
  const transfer = await page.evaluateHandle(([name, type, base64]) => {
    const transfer = new DataTransfer()
    const bytes = Uint8Array.from(atob(base64!), (letter) => letter.charCodeAt(0))
    transfer.items.add(new File([bytes], name!, { type: type! }))
    return transfer
  }, [name, mimeType, buffer.toString('base64')])
  if (how === 'paste') {
    await target.evaluate((element, clipboardData) => element.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })), transfer)
    return
  }
  for (const type of ['dragenter', 'dragover', 'drop']) {
    await target.dispatchEvent(type, { dataTransfer: transfer })
    if (type === 'dragover') await page.getByText('Drop the files to send them').waitFor()
  }
}

async function sends({ page }: Visitor, caption = ''): Promise<void> {
  const dialog = page.getByRole('dialog', { name: /^Send / })
  if (caption !== '') await dialog.getByLabel('Add a caption…').fill(caption)
  await dialog.getByRole('button', { name: 'Send', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
}

const uploads = ({ page }: Visitor) => page.getByRole('list', { name: 'On their way' }).getByRole('listitem')
const shown = (visitor: Visitor, name: string) => visitor.messages.getByRole('button', { name: `Picture ${name}, open` })

/** How large the picture is that is drawn there, and the colour in its middle. */
async function drawn(image: Locator): Promise<{ width: number; height: number; colour: number[] }> {
  return image.evaluate(async (element) => {
    const image = element as HTMLImageElement
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = 1
    const context = canvas.getContext('2d')!
    context.drawImage(image, image.naturalWidth / 2, image.naturalHeight / 2, 1, 1, 0, 0, 1, 1)
    return { width: image.naturalWidth, height: image.naturalHeight, colour: [...context.getImageData(0, 0, 1, 1).data].slice(0, 3) }
  })
}

/** Thumbnails are packed with some loss. */
const isNear = (one: number[], other: number[]) => one.every((value, index) => Math.abs(value - other[index]!) < 12)

it('a picture that is chosen arrives small, opens large, and is saved under its name', async () => {
  const bytes = plain(1_200, 800, 20, 110, 130)
  await chooses(ada, picture('harbour.png', bytes))
  await ada.page.getByRole('dialog', { name: 'Send one file' }).getByRole('img', { name: 'harbour.png' }).waitFor()
  await sends(ada, 'Our harbour')
  const small = await drawn(shown(bob, 'harbour.png').getByRole('img'))
  expect(small).toMatchObject({ width: 320, height: 213 })
  expect(isNear(small.colour, [20, 110, 130])).toBe(true)
  await bob.sees('Our harbour')
  await shown(ada, 'harbour.png').getByRole('img').waitFor()

  await shown(bob, 'harbour.png').click()
  const viewer = bob.page.getByRole('dialog', { name: /harbour.png/ })
  expect(await drawn(viewer.getByRole('img', { name: 'harbour.png' }))).toEqual({ width: 1_200, height: 800, colour: [20, 110, 130] })
  const [download] = await Promise.all([bob.page.waitForEvent('download'), viewer.getByRole('button', { name: 'Download harbour.png' }).click()])
  expect(download.suggestedFilename()).toBe('harbour.png')
  expect((await readFile(await download.path())).equals(bytes)).toBe(true)
  await bob.page.keyboard.press('Escape')
  await viewer.waitFor({ state: 'detached' })
})

it('pictures that are pasted or dropped arrive as well', async () => {
  await transfers(ada, ada.composer, 'paste', picture('pasted.png', plain(400, 300, 200, 40, 30)))
  await sends(ada)
  await transfers(ada, ada.messages, 'drop', picture('dropped.png', plain(300, 400, 30, 160, 60)))
  await sends(ada)
  expect(isNear((await drawn(shown(bob, 'pasted.png').getByRole('img'))).colour, [200, 40, 30])).toBe(true)
  expect(isNear((await drawn(shown(bob, 'dropped.png').getByRole('img'))).colour, [30, 160, 60])).toBe(true)
  // What was dropped is not opened by the browser instead.
  expect(new URL(ada.page.url()).pathname).toMatch(/^\/chats\//)
})

it('several go at once, one may be left out, and as files they stay what they are', async () => {
  await chooses(ada, picture('one.png', plain(60, 40, 1, 2, 3)), picture('two.png', plain(60, 40, 3, 2, 1)), { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('The tide is at six.\n') })
  const dialog = ada.page.getByRole('dialog', { name: 'Send 3 files' })
  await dialog.getByRole('button', { name: 'Leave out two.png' }).click()
  await ada.page.getByRole('dialog', { name: 'Send 2 files' }).getByRole('switch', { name: /Send as files/ }).click()
  await sends(ada)
  await bob.messages.getByRole('button', { name: 'Download one.png' }).waitFor()
  const [download] = await Promise.all([bob.page.waitForEvent('download'), bob.messages.getByRole('button', { name: 'Download notes.txt' }).click()])
  expect(download.suggestedFilename()).toBe('notes.txt')
  expect(await readFile(await download.path(), 'utf8')).toBe('The tide is at six.\n')
  expect(await bob.messages.getByRole('button', { name: 'Download two.png' }).count()).toBe(0)
  expect(await shown(bob, 'one.png').count()).toBe(0)
})

it('what is on its way shows how far it is, goes on after the line was cut, and can be given up', async () => {
  const film = { name: 'log.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(24_000_000, 'petrel') }
  ada.cable.clog(1_000_000)
  await chooses(ada, film)
  await sends(ada)
  const bar = uploads(ada).getByRole('progressbar', { name: 'log.bin' })
  await expect.poll(async () => Number(await bar.getAttribute('aria-valuenow'))).toBeGreaterThan(0)
  expect(Number(await bar.getAttribute('aria-valuenow'))).toBeLessThan(100)
  await uploads(ada).getByText(/of 24\.0 MB$/).waitFor()
  ada.cable.cut()
  ada.cable.mend()
  await bob.messages.getByRole('button', { name: 'Download log.bin' }).waitFor()
  await expect.poll(() => uploads(ada).count()).toBe(0)

  ada.cable.clog(1_000_000)
  await chooses(ada, { ...film, name: 'never.bin' })
  await sends(ada)
  await uploads(ada).getByText('never.bin').waitFor()
  await uploads(ada).getByRole('button', { name: 'Cancel' }).click()
  await expect.poll(() => uploads(ada).count()).toBe(0)
  ada.cable.cut()
  ada.cable.mend()
  await ada.says('I have thought better of it.')
  await bob.sees('I have thought better of it.')
  expect(await bob.messages.getByRole('button', { name: 'Download never.bin' }).count()).toBe(0)
})

it('what is too large is refused in words, before and after it was sent', async () => {
  const large = noise(300, 300)
  expect(large.length).toBeGreaterThan(IMAGE_BYTES_MAX)
  // That it is a picture, and too large for one, the server sees when it has it.
  await chooses(ada, picture('noise.png', large), { name: 'huge.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(FILE_BYTES_MAX + 1) })
  await sends(ada)
  for (const name of ['noise.png', 'huge.bin']) {
    const line = uploads(ada).filter({ hasText: name })
    await line.getByRole('alert').getByText('The file is larger than this server takes.').waitFor()
    await line.getByRole('button', { name: 'Cancel' }).click()
  }
  expect(await uploads(ada).count()).toBe(0)
  expect(await shown(ada, 'noise.png').count()).toBe(0)
  // The chat goes on.
  await ada.says('Too large, it says.')
  await bob.sees('Too large, it says.')
})
