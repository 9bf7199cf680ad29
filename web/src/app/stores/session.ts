/** Who is logged in in this browser, and what asks the server in their name. */
import { defineStore } from 'pinia'
import { computed, markRaw, ref, shallowRef } from 'vue'
import type { Grant } from '../../engine'
import { AccountApi, type Credentials, type Redemption } from '../platform/account'
import { HttpApi } from '../platform/http'
import { keep, kept } from '../platform/keep'
import { AccessTokens } from '../platform/tokens'
import { systemRandom } from '../platform/world'

export interface Account {
  userId: string
  username: string
  admin?: boolean
}

const ACCOUNT = 'petrel.account'
const DEVICE = 'petrel.device'

/** This browser's own name, which it keeps. */
function deviceId(): string {
  const known = kept<string>(DEVICE)
  if (known !== undefined) return known
  const fresh = `web-${systemRandom.uuid()}`
  keep(DEVICE, fresh)
  return fresh
}

export const CLIENT = 'petrel-web/0.1'

export const useSession = defineStore('session', () => {
  const device = { deviceId: deviceId(), platform: 'web', client: CLIENT }
  const accountApi = new AccountApi('', true, device)
  // Raw, as a store would wrap them, and a wrapped object can't get at its private fields.
  const tokens = markRaw(new AccessTokens(() => accountApi.renew()))
  const http = markRaw(new HttpApi(tokens))

  const account = shallowRef<Account>()
  /** Why the user has to log in again, if the user did not ask for it. */
  const endedBecause = ref<string>()
  const isLoggedIn = computed(() => account.value !== undefined)
  const userId = computed(() => account.value?.userId ?? '')

  /** Finds out who was logged in. What is known here is believed until the server says otherwise. */
  async function restore(): Promise<void> {
    account.value = kept<Account>(ACCOUNT)
    addEventListener('storage', ({ key }) => {
      // Another tab logged out, or somebody else in.
      if (key === ACCOUNT && kept<Account>(ACCOUNT)?.userId !== account.value?.userId) location.reload()
    })
  }

  async function enter(how: 'login' | 'register', credentials: Credentials): Promise<void> {
    begin(await accountApi[how](credentials))
  }

  /** Chooses another password with an admin's code. */
  async function redeem(redemption: Redemption): Promise<void> {
    begin(await accountApi.redeem(redemption))
  }

  function begin({ username, ...grant }: Grant & { username: string }): void {
    tokens.take(grant)
    take({ userId: grant.userId, username })
    endedBecause.value = undefined
    void learn()
  }

  /** What the server knows of the account beyond its name. */
  async function learn(): Promise<void> {
    try {
      const me = await http.ask<Account>('/api/users/me')
      if (me.userId === account.value?.userId) take({ ...account.value, admin: false, ...me })
    } catch {
      // It is asked again the next time that somebody logs in or the page is opened.
    }
  }

  /** Logs out. What this browser keeps of the user is dropped by who keeps it. */
  async function leave(): Promise<void> {
    try {
      await accountApi.logout()
    } finally {
      forget()
    }
  }

  /** The log-in is over. */
  function end(reason: string): void {
    endedBecause.value = reason
    forget()
  }

  function take(next: Account): void {
    account.value = next
    keep(ACCOUNT, next)
  }

  function forget(): void {
    tokens.clear()
    account.value = undefined
    keep(ACCOUNT, undefined)
  }

  return { account, userId, isLoggedIn, endedBecause, device, tokens, http, restore, enter, redeem, learn, leave, end }
})
