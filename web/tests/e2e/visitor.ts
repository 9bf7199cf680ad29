/** A person in front of a browser: what they do, in their words, and what they see. */
import type { BrowserContext, Locator, Page } from 'playwright-core'
import type { Cable } from '../integration/server'
import { PASSWORD } from './server-api'

/** How long something may take to be seen, in milliseconds. The machine may be busy. */
const PATIENCE_MS = 20_000

export class Visitor {
  /** What must not happen in any test: faults of scripts, other hosts, forbidden content. */
  readonly problems: string[] = []

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    readonly name: string,
    private readonly origin: string,
    readonly cable: Cable,
  ) {}

  static async of(context: BrowserContext, name: string, origin: string, cable: Cable): Promise<Visitor> {
    context.setDefaultTimeout(PATIENCE_MS)
    const visitor = new Visitor(context, await context.newPage(), name, origin, cable)
    context.on('request', (request) => visitor.#isOwn(request.url()) || visitor.problems.push(`asked ${request.url()}`))
    context.on('weberror', (error) => visitor.problems.push(error.error().stack ?? String(error.error())))
    context.on('console', (message) => {
      if (/Content Security Policy|Vue warn|\[intlify\]/.test(message.text())) visitor.problems.push(message.text())
    })
    return visitor
  }

  /** Another page of the same person: another tab. */
  async tab(path = '/'): Promise<Visitor> {
    const tab = new Visitor(this.context, await this.context.newPage(), `${this.name}, another tab`, this.origin, this.cable)
    await tab.page.goto(path)
    return tab
  }

  async register(): Promise<this> {
    const { page } = this
    await page.goto('/register')
    await page.getByLabel('User name').fill(this.name)
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await page.getByLabel('Repeat the password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByRole('heading', { name: 'Chats', level: 1 }).waitFor()
    return this
  }

  async logIn(name = this.name): Promise<this> {
    const { page } = this
    await page.goto('/login')
    await this.entersPassword(PASSWORD, name)
    await page.getByRole('heading', { name: 'Chats', level: 1 }).waitFor()
    return this
  }

  /** The same by what does not depend on the language. */
  async logInAnyLanguage(): Promise<void> {
    const { page } = this
    await page.goto('/login')
    await page.locator('input[autocomplete=username]').fill(this.name)
    await page.locator('input[type=password]').fill(PASSWORD)
    await page.locator('button[type=submit]').click()
    await page.waitForURL('**/chats')
  }

  /** Waits until a page is there, and nothing of it is still to come. */
  async isSettled(): Promise<void> {
    await this.page.waitForFunction(() => document.querySelector('h1, .welcome, .empty') !== null && document.querySelector('.skeleton, .spinner') === null)
  }

  /** Types name and password where one is asked for them. */
  async entersPassword(password = PASSWORD, name = this.name): Promise<void> {
    const { page } = this
    await page.getByLabel('User name').fill(name)
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
  }

  /** Answers what the page asks. */
  async confirms(action: string): Promise<void> {
    const dialog = this.page.getByRole('alertdialog').or(this.page.getByRole('dialog'))
    await dialog.getByRole('button', { name: action, exact: true }).click()
  }

  async go(path: string): Promise<void> {
    await this.page.goto(path)
  }

  /** Asks somebody to be friends, found by the user name. */
  async asksToBeFriends(other: Visitor, word: string): Promise<void> {
    const { page } = this
    await page.goto('/contacts/add')
    await page.getByLabel('User name or friend code').fill(other.name)
    await page.getByRole('button', { name: 'Find' }).click()
    await page.getByLabel('A word with it').fill(word)
    await page.getByRole('button', { name: 'Ask to be friends' }).click()
    await page.getByRole('button', { name: 'Withdraw' }).waitFor()
  }

  async accepts(other: Visitor, word: string): Promise<void> {
    const { page } = this
    await page.goto('/contacts/requests')
    await page.getByText(word).waitFor()
    await page.getByRole('listitem').filter({ hasText: other.name }).getByRole('button', { name: 'Accept' }).click()
    await page.getByRole('complementary').or(page.getByRole('region', { name: 'Contacts' })).getByText(other.name).first().waitFor()
  }

  /** Opens the chat with a friend from the contacts. */
  async opensChatWith(other: Visitor): Promise<void> {
    const { page } = this
    await page.goto('/contacts')
    await page.getByRole('region', { name: 'Contacts' }).getByText(other.name).click()
    await page.getByRole('article').getByRole('button', { name: 'Message' }).click()
    await this.composer.waitFor()
  }

  /** Opens a conversation from the list of chats. */
  async opensChat(title: string): Promise<void> {
    await this.page.goto('/chats')
    await this.page.getByRole('region', { name: 'Chats' }).getByRole('link', { name: title }).click()
    await this.composer.waitFor()
  }

  get composer(): Locator {
    return this.page.getByLabel('Write a message…')
  }

  async says(text: string): Promise<void> {
    await this.composer.fill(text)
    await this.composer.press('Enter')
  }

  get messages(): Locator {
    return this.page.getByRole('list', { name: 'Messages' })
  }

  /** The line of a message with exactly this text. */
  message(text: string): Locator {
    return this.messages.getByRole('article').filter({ has: this.page.getByText(text, { exact: true }) })
  }

  /** Waits until a message is there, once. */
  async sees(text: string): Promise<void> {
    await this.message(text).waitFor()
  }

  async seesState(text: string, state: 'Sending' | 'Sent' | 'Delivered' | 'Read'): Promise<void> {
    await this.message(text).getByRole('img', { name: state, exact: true }).waitFor()
  }

  /** The texts of the messages that are drawn, in order. */
  texts(): Promise<string[]> {
    return this.messages.locator('article .text').allInnerTexts()
  }

  /** What is said about the connection. */
  get status(): Locator {
    return this.page.getByText(/No connection|Connecting|You are offline/).first()
  }

  async choose(text: string, action: string): Promise<void> {
    await this.message(text).locator('.bubble').click({ button: 'right' })
    await this.page.getByRole('menuitem', { name: action }).click()
  }

  #isOwn(url: string): boolean {
    return url.startsWith(this.origin) || url.startsWith(this.origin.replace('http', 'ws')) || /^(data|blob):/.test(url)
  }
}
