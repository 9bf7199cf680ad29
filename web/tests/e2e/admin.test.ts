/** The operator's pages: who gets in, what they tell, and what becomes of those whom it concerns. */
import { mkdir } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { plain } from './picture'
import { PASSWORD, ServerApi, type Caller } from './server-api'
import { Stage } from './stage'
import type { Visitor } from './visitor'

/** There before the server starts. */
const OPERATOR = 'root'

let stage: Stage
let api: ServerApi
let root: Caller

beforeAll(async () => {
  stage = await Stage.open({ admins: [OPERATOR] })
  api = new ServerApi(stage.server.http)
  root = await api.logIn(OPERATOR)
})
afterEach(() => stage.clear())
afterAll(() => stage.close())

/** The operator, who was on the way to a page of theirs and had to log in first. */
async function operatorAt(path: string): Promise<Visitor> {
  const operator = await stage.visitor(OPERATOR)
  await operator.go(path)
  await operator.page.waitForURL('**/login?**')
  await operator.entersPassword()
  await operator.page.waitForURL(`**${path}`)
  return operator
}

/** Follows a row of the main pane. */
async function follows({ page }: Visitor, row: string): Promise<void> {
  await page.getByRole('main').getByRole('link', { name: row }).click()
}

/** Keeps a picture of a page where `SHOTS` says, for people to look at. */
async function shot({ page }: Visitor, name: string): Promise<void> {
  if (process.env.SHOTS === undefined) return
  await mkdir(process.env.SHOTS, { recursive: true })
  await page.screenshot({ path: `${process.env.SHOTS}/admin-${name}.png` })
}

async function finds(operator: Visitor, words: string): Promise<void> {
  await operator.page.getByLabel('Part of a name, or an id').fill(words)
  await follows(operator, words)
  await operator.page.getByRole('heading', { name: words, level: 1 }).waitFor()
}

const fact = ({ page }: Visitor, name: string) => page.locator('dt', { hasText: name }).locator('+ dd').first()

it('the overview draws what happens', async () => {
  const [ada, bob] = [await api.register('ada'), await api.register('bob')]
  await ada.saysAll(bob.userId, Array.from({ length: 50 }, (_, index) => `message ${index}`))
  await ada.upload('tides.txt', 'text/plain', new Uint8Array(2_048).fill(65))
  const operator = await operatorAt('/admin')
  const { page } = operator
  await page.getByRole('link', { name: 'Administration', exact: true }).waitFor()
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
  expect(Number(await fact(operator, 'Users').locator('.number').innerText())).toBeGreaterThanOrEqual(3)
  expect(await fact(operator, 'Files').innerText()).toMatch(/^2 KiB\s*1 file,/)
  const memory = page.getByRole('figure').filter({ has: page.getByRole('heading', { name: 'Memory' }) })
  // A line needs two steps of five seconds; the page asks by itself.
  await expect.poll(() => memory.locator('path.line').getAttribute('d')).toMatch(/L/)
  expect(await memory.locator('.legend b').innerText()).toMatch(/\d.*[KMG]i?B/)
  expect(await page.getByRole('figure').count()).toBeGreaterThanOrEqual(12)
  // By keyboard one gets at each number.
  const slider = memory.getByRole('slider', { name: 'Memory' })
  await slider.press('End')
  await expect.poll(() => slider.getAttribute('aria-valuetext')).toMatch(/\d{2}:\d{2}/)
  // All of today's messages, as far as the server has counted them.
  await page.getByText('Last day').click()
  await page.getByText(/The mean of each minute/).waitFor()
})

it('nobody else gets in, and who is made an admin does', async () => {
  const cem = await (await stage.visitor('cem')).register()
  expect(await cem.page.getByRole('link', { name: 'Administration', exact: true }).count()).toBe(0)
  for (const path of ['/admin', '/admin/users', '/admin/audit']) {
    await cem.go(path)
    await cem.page.waitForURL('**/chats')
  }
  const status = await cem.page.evaluate(async () => {
    const { data } = await (await fetch('/api/auth/refresh', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).json()
    return (await fetch('/api/admin/users', { headers: { authorization: `Bearer ${data.accessToken}` } })).status
  })
  expect(status).toBe(404)

  const operator = await operatorAt('/admin/users')
  await finds(operator, 'cem')
  await operator.page.getByRole('button', { name: 'Make admin' }).click()
  await operator.confirms('Make admin')
  await operator.page.getByText('cem is an admin of the system').waitFor()
  await cem.go('/admin/words')
  await cem.page.getByRole('heading', { name: 'Word filter', level: 1 }).waitFor()
  // And loses it again: the page says so, and leads nowhere any more.
  await operator.page.getByRole('button', { name: 'Take admin rights away' }).click()
  await operator.confirms('Take admin rights away')
  await operator.page.getByText('cem is no longer an admin').waitFor()
  await cem.go('/admin/words')
  await cem.page.waitForURL('**/chats')
})

it('a user is locked out, let in, logged out everywhere, and gets another password', async () => {
  const dora = await (await stage.visitor('dora')).register()
  const operator = await operatorAt('/admin/users')
  const { page } = operator
  await finds(operator, 'dora')
  await expect.poll(() => page.getByRole('main').getByText(/^web/).count()).toBe(1)

  await page.getByRole('button', { name: 'Lock out' }).click()
  await page.getByLabel('Why').fill('spam')
  await operator.confirms('Lock out')
  await page.getByText('dora is locked out').waitFor()
  expect(await fact(operator, 'Locked out').innerText()).toContain('spam')
  await dora.page.waitForURL('**/login**')
  await dora.entersPassword()
  await dora.page.getByText('This account has been locked by an administrator.').waitFor()

  await page.getByRole('button', { name: 'Let in again' }).click()
  await operator.confirms('Let in again')
  await page.getByText('dora may log in again').waitFor()
  await dora.logIn()

  await page.getByRole('button', { name: 'Log out everywhere' }).click()
  await operator.confirms('Log out everywhere')
  await page.getByText('dora is logged out everywhere').waitFor()
  await dora.page.waitForURL('**/login**')
  await dora.page.getByRole('status').filter({ hasText: 'logged out' }).waitFor()

  await page.getByRole('button', { name: 'Reset password' }).click()
  await operator.confirms('Reset password')
  const code = await page.getByRole('region', { name: 'Code for another password' }).locator('code').innerText()
  await dora.entersPassword()
  await dora.page.getByText('The user name or the password is wrong.').waitFor()
  const chosen = 'another storm in another gale'
  const redeems = async (given: string) => {
    await dora.page.getByLabel('User name').fill('dora')
    await dora.page.getByLabel('Code', { exact: true }).fill(given)
    await dora.page.getByLabel('New password').fill(chosen)
    await dora.page.getByLabel('Repeat the password').fill(chosen)
    await dora.page.getByRole('button', { name: 'Choose and log in' }).click()
  }
  await dora.page.getByRole('link', { name: 'You have a code for another password?' }).click()
  await redeems('AAAAA-AAAAA-AAAAA-AAAAA')
  await dora.page.getByText('The code is wrong, was used, or has expired. Ask for another one.').waitFor()
  await redeems(code.toLowerCase())
  await dora.page.getByRole('heading', { name: 'Chats', level: 1 }).waitFor()
  // The log-in outlives the page, and is this device's only one.
  await dora.go('/settings/devices')
  await dora.page.getByText('You are logged in nowhere else.').waitFor()

  // Nobody but the owner knows it, who may choose another one.
  await dora.go('/settings/password')
  await dora.page.getByLabel('Present password').fill('not this one')
  await dora.page.getByLabel('New password').fill(PASSWORD)
  await dora.page.getByLabel('Repeat the password').fill(PASSWORD)
  const change = dora.page.getByRole('button', { name: 'Change password' })
  await change.click()
  await dora.page.getByText('The password is wrong.').waitFor()
  await dora.page.getByLabel('Present password').fill(chosen)
  await change.click()
  await dora.page.getByText('You have another password now.').waitFor()
  await api.logIn('dora')
})

it('what users are called and look like is seen, found and cleared', async () => {
  const [lea, max] = [await api.register('lea'), await api.register('max')]
  await lea.post(`/api/contacts/${max.userId}/apply`)
  await max.post(`/api/contacts/${lea.userId}/accept`)
  const avatar = await lea.upload('lea.png', 'image/png', plain(300, 300, 220, 30, 40))
  await lea.ask('PATCH', '/api/users/me', { displayName: 'Unfit for the harbour', avatar })
  const own = await (await stage.visitor('lea')).logIn()
  await own.go('/settings/profile')
  await own.page.locator('.face .avatar img').waitFor()

  const operator = await operatorAt('/admin/users')
  const { page } = operator
  const main = page.getByRole('main')
  await page.getByLabel('Part of a name, or an id').fill('FOR THE HARB')
  const row = main.getByRole('link', { name: 'lea' })
  await row.getByText('Unfit for the harbour').waitFor()
  await row.locator('.avatar img').waitFor()
  await expect.poll(() => main.getByRole('listitem').count()).toBe(1)
  await shot(operator, 'users')
  await row.click()
  await page.getByRole('heading', { name: 'lea', level: 1 }).waitFor()
  await main.getByText('Unfit for the harbour').waitFor()
  await expect.poll(() => main.locator('.part .avatar img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(300)
  await shot(operator, 'user')

  // Nothing comes of a question that is answered with no.
  await page.getByRole('button', { name: 'Clear display name' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
  await main.getByText('Unfit for the harbour').waitFor()
  await page.getByRole('button', { name: 'Clear display name' }).click()
  await shot(operator, 'question')
  await operator.confirms('Clear display name')
  await page.getByText('The display name of lea is cleared').waitFor()
  await expect.poll(() => main.getByText('Unfit for the harbour').count()).toBe(0)
  // The user sees it at once, and who did it.
  await own.page.locator('p.name', { hasText: /^lea$/ }).waitFor()
  const told = own.page.getByText('An administrator has removed your display name or picture.')
  await told.waitFor()
  await shot(own, 'told')

  await page.getByRole('button', { name: 'Clear picture' }).click()
  await operator.confirms('Clear picture')
  await main.getByText('Nothing but the user name.').waitFor()
  await own.page.locator('.face .avatar img').waitFor({ state: 'detached' })
  // It is said until it is closed, and comes back with nothing but another clearing.
  await own.page.getByRole('button', { name: 'Dismiss' }).click()
  await expect.poll(() => told.count()).toBe(0)
  await own.page.reload()
  await own.page.locator('.face .letters').waitFor()
  expect(await told.count()).toBe(0)

  await operator.go(`/admin/audit?user=${lea.userId}`)
  await main.getByText('displayName: Unfit for the harbour').waitFor()
  expect(await main.getByRole('article').count()).toBe(2)
})

it('what groups are called, say and look like is seen and cleared', async () => {
  const [noa, olu] = [await api.register('noa'), await api.register('olu')]
  const { conversationId } = await noa.post('/api/groups', { title: 'Unfit', members: [olu.userId] })
  const avatar = await noa.upload('g.png', 'image/png', plain(300, 300, 30, 60, 220))
  await noa.ask('PATCH', `/api/groups/${conversationId}`, { description: 'Bad words.', announcement: 'Worse words,\nand more of them.', avatar })
  const member = await (await stage.visitor('olu')).logIn()
  await member.opensChat('Unfit')
  const operator = await operatorAt('/admin/groups')
  const { page } = operator
  const main = page.getByRole('main')
  await main.getByRole('link', { name: 'Unfit' }).locator('.avatar img').waitFor()
  await follows(operator, 'Unfit')
  await main.getByText('Worse words,').waitFor()
  await shot(operator, 'group')
  for (const what of ['announcement', 'description', 'picture', 'title']) {
    await page.getByRole('button', { name: `Clear ${what}` }).click()
    await operator.confirms(`Clear ${what}`)
    await expect.poll(() => page.getByRole('button', { name: `Clear ${what}` }).count()).toBe(0)
  }
  await page.getByRole('heading', { name: conversationId, level: 1 }).waitFor()
  await main.getByText('Nothing but the id of the group.').waitFor()
  await member.page.getByText(`An administrator called the group “${conversationId}”`).first().waitFor()
})

it('users are created and invited', async () => {
  const operator = await operatorAt('/admin/users')
  const { page } = operator
  await page.getByRole('button', { name: 'New user' }).click()
  await page.getByLabel('User name').fill('no')
  await page.getByRole('button', { name: 'Create user' }).click()
  await page.getByText('Use 3 to 32 of the letters a–z, digits, _ - and .').waitFor()
  await page.getByLabel('User name').fill(OPERATOR)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByLabel('Repeat the password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Create user' }).click()
  await page.getByText('Somebody else has this user name.').waitFor()
  await page.getByLabel('User name').fill('emil')
  await page.getByRole('button', { name: 'Create user' }).click()
  await page.getByRole('heading', { name: 'emil', level: 1 }).waitFor()
  await api.logIn('emil')

  await page.getByRole('link', { name: /^Invites/ }).click()
  await page.getByLabel('For how many people').fill('0')
  await page.getByText('Give a whole number from 1 to 100000.').waitFor()
  expect(await page.getByRole('button', { name: 'Make invite' }).isDisabled()).toBe(true)
  await page.getByLabel('For how many people').fill('3')
  await page.getByRole('button', { name: 'Make invite' }).click()
  const invite = page.getByRole('region', { name: 'Invite code' })
  await invite.getByText(/3 people may register with it/).waitFor()
  expect(await invite.locator('code').innerText()).toMatch(/^[0-9A-Z]{5}(-[0-9A-Z]{5})+$/)
})

it('groups are looked into, handed over and dissolved', async () => {
  const [fay, gil] = [await api.register('fay'), await api.register('gil')]
  const { conversationId } = await fay.post('/api/groups', { title: 'Harbour watch', members: [gil.userId] })
  const member = await (await stage.visitor('gil')).logIn()
  await member.opensChat('Harbour watch')
  const operator = await operatorAt('/admin/groups')
  const { page } = operator
  await page.getByLabel('Part of a title').fill('harbour')
  await follows(operator, 'Harbour watch')
  await page.getByRole('button', { name: 'Manage gil' }).click()
  await page.getByRole('menuitem', { name: 'Make owner' }).click()
  await operator.confirms('Make owner')
  await page.getByText('gil is the owner now').waitFor()
  await expect.poll(() => page.getByRole('main').getByRole('listitem').filter({ hasText: 'gil' }).getByText('Owner').count()).toBe(1)
  await page.getByRole('button', { name: 'Manage fay' }).click()
  await page.getByRole('menuitem', { name: 'Remove from group' }).click()
  await operator.confirms('Remove from group')
  await page.getByText('fay is no longer in the group').waitFor()
  await page.getByRole('button', { name: 'Dissolve group' }).click()
  await operator.confirms('Dissolve group')
  await page.getByText('The group is dissolved').waitFor()
  await expect.poll(() => fact(operator, 'Members').innerText()).toBe('Dissolved')
  // Those who were in it see so, and can write no more.
  await expect.poll(() => member.composer.count()).toBe(0)
  expect(new URL(member.page.url()).pathname).toBe(`/chats/${conversationId}`)
})

it('words are refused, replaced and told of', async () => {
  const [hal, ida] = [await api.register('hal'), await api.register('ida')]
  await hal.post(`/api/contacts/${ida.userId}/apply`)
  await ida.post(`/api/contacts/${hal.userId}/accept`)
  await ida.post('/api/messages', { to: hal.userId, body: 'Hello, Hal.' })
  const operator = await operatorAt('/admin/words')
  const { page } = operator
  for (const [word, mode] of [['barnacle', 'Refuse'], ['limpet', 'Replace'], ['mussel*', 'Flag']] as const) {
    await page.getByLabel('Word', { exact: true }).fill(word)
    await page.getByText(mode, { exact: true }).first().click()
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByText(`“${word}” is in the filter`).waitFor()
  }
  await page.getByLabel('What somebody might write').fill('a LIMPET and mussels')
  await page.getByRole('button', { name: 'Try', exact: true }).click()
  await page.getByText('It would be sent as: a ****** and mussels').waitFor()
  await page.getByText('The audit log would tell of: mussel*').waitFor()

  const writer = await (await stage.visitor('hal')).logIn()
  await writer.opensChat('ida')
  await writer.says('What a barnacle!')
  await writer.page.getByText('Not sent: This has a word that the server does not let through.').waitFor()
  await writer.says('What a limpet!')
  const reader = await (await stage.visitor('ida')).logIn()
  await reader.opensChat('hal')
  await reader.sees('What a ******!')
  // Who has written it sees what others see.
  await writer.sees('What a ******!')
  await writer.says('What mussels!')
  await reader.sees('What mussels!')

  await page.getByRole('button', { name: 'Remove “barnacle”' }).click()
  await operator.confirms('Remove')
  await page.getByText('“barnacle” is no longer in the filter').waitFor()
  await writer.page.getByRole('button', { name: 'Send again' }).click()
  await reader.sees('What a barnacle!')

  await operator.go('/admin/audit')
  await page.getByLabel('Action').selectOption({ label: 'Text with a flagged word' })
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  const records = page.getByRole('main').getByRole('article')
  await expect.poll(() => records.count()).toBe(1)
  expect(await records.innerText()).toContain('hal')
})

it('the audit log tells who did what to whom, and is looked through', async () => {
  const jan = await api.register('jan')
  for (let round = 0; round < 30; round += 1) {
    await root.post(`/api/admin/users/${jan.userId}/disable`, { reason: `round ${round}` })
    await root.post(`/api/admin/users/${jan.userId}/enable`)
  }
  const operator = await operatorAt('/admin/audit')
  const { page } = operator
  const records = page.getByRole('main').getByRole('article')
  await page.getByLabel('To user').fill('jan')
  await page.getByText('An id has digits only.').waitFor()
  await page.getByLabel('To user').fill(jan.userId)
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  // Page by page.
  await expect.poll(() => records.count()).toBe(50)
  await page.getByRole('button', { name: /more/i }).click()
  await expect.poll(() => records.count()).toBe(60)
  expect(await records.first().innerText()).toMatch(/User let in again[^]*by root[^]*to user jan/)
  await page.getByLabel('Action').selectOption({ label: 'User locked out' })
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await expect.poll(() => records.count()).toBe(30)
  await records.filter({ hasText: 'round 29' }).waitFor()
  // The filter is in the address.
  await page.reload()
  await expect.poll(() => records.count()).toBe(30)
  await page.getByRole('button', { name: 'Show all' }).click()
  await expect.poll(() => records.count()).toBe(50)
})

it('everybody is told what an admin says, until it is closed or withdrawn', async () => {
  const kim = await (await stage.visitor('kim')).register()
  const operator = await operatorAt('/admin/notices')
  const { page } = operator
  const told = ({ page }: Visitor) => page.getByRole('list', { name: 'What admins say' }).getByRole('listitem')
  const says = async (text: string, lasts: string) => {
    await page.getByLabel('What everybody is to know').fill(text)
    await page.getByText(lasts, { exact: true }).click()
    await page.getByRole('main').getByRole('button', { name: 'Tell everybody' }).click()
    await operator.confirms('Tell everybody')
    await kim.page.getByText(text).waitFor()
  }
  await says('The harbour closes at ten.', 'Once')
  await told(kim).filter({ hasText: 'harbour' }).getByRole('button', { name: 'Dismiss' }).click()
  await expect.poll(() => told(kim).count()).toBe(0)
  await says('A storm is coming.', 'Until withdrawn')
  await says('Bring your lanterns.', 'A day')
  // Whoever comes later is told, too, but for what was closed.
  await told(kim).filter({ hasText: 'lanterns' }).getByRole('button', { name: 'Dismiss' }).click()
  await kim.page.reload()
  await told(kim).filter({ hasText: 'A storm is coming.' }).waitFor()
  expect(await told(kim).count()).toBe(1)
  await page.getByRole('main').getByRole('listitem').filter({ hasText: 'A storm is coming.' }).getByRole('button', { name: 'Withdraw' }).click()
  await expect.poll(() => told(kim).count()).toBe(0)
  await expect.poll(() => page.getByRole('main').getByRole('listitem').filter({ hasText: 'A storm is coming.' }).count()).toBe(0)
})

it('limits change while the server runs, and are as configured again', async () => {
  const operator = await operatorAt('/admin/limits')
  const { page } = operator
  const save = page.getByRole('button', { name: 'Save' })
  expect(await save.isDisabled()).toBe(true)
  await page.getByLabel('Connections', { exact: true }).fill('0')
  await page.getByText('Give a whole number from 1 to 1,000,000.').waitFor()
  expect(await save.isDisabled()).toBe(true)
  await page.getByLabel('Connections', { exact: true }).fill('5000')
  await page.getByText('Nobody', { exact: true }).click()
  await save.click()
  await page.getByText('These limits hold now').waitFor()
  await page.getByText(/Configured: 100,000/).waitFor()
  await expect(api.register('lou')).rejects.toThrow('registration_closed')
  await page.getByRole('button', { name: 'All as configured' }).click()
  await expect.poll(() => page.getByLabel('Connections', { exact: true }).inputValue()).toBe('100000')
  await api.register('lou')
})
