/** Registering, logging in and out, over HTTP. */
import type { Grant, Renewal } from '../../engine'
import { answerOf, ApiError } from './http'

export interface Credentials {
  username: string
  password: string
  /** Where registering takes an invite: its code. */
  invite?: string
}

export interface Redemption {
  username: string
  /** What the admin has given. */
  code: string
  /** The password from now on. */
  password: string
}

interface LoginData {
  userId: string
  username: string
  accessToken: string
  expiresIn: number
  refreshToken?: string
}

/** How long an answer is waited for, in milliseconds. */
const ANSWER_MS = 15_000

export class AccountApi {
  /** Where there are no cookies, the newest refresh token is kept here. */
  #refreshToken: string | undefined

  constructor(
    private readonly base = '',
    /** Whether the refresh token is kept by the browser, out of reach of scripts. */
    private readonly useCookie = true,
    private readonly device: { deviceId: string; platform: string; client: string } | object = {},
  ) {}

  register(credentials: Credentials): Promise<Grant & { username: string }> {
    return this.#enter('register', credentials)
  }

  login(credentials: Credentials): Promise<Grant & { username: string }> {
    return this.#enter('login', credentials)
  }

  /** Chooses another password with an admin's code, and logs in with it as any other time. */
  async redeem({ username, code, password }: Redemption): Promise<Grant & { username: string }> {
    const { refreshToken } = await this.#post<LoginData>('reset', { username, code, password })
    // What comes with it is no log-in of this device, and its token would be within reach of scripts.
    if (refreshToken !== undefined) await this.#post('logout', { refreshToken }).catch(() => undefined)
    return this.login({ username, password })
  }

  /** Another access token, for the engine. */
  async renew(): Promise<Renewal> {
    try {
      const body = this.#refreshToken === undefined ? {} : { refreshToken: this.#refreshToken }
      return { kind: 'granted', grant: this.#grantOf(await this.#post<LoginData>('refresh', body)) }
    } catch (error) {
      if (!(error instanceof ApiError)) return { kind: 'unavailable' }
      const over = ['invalid_refresh_token', 'login_revoked', 'missing_token', 'unauthorized', 'invalid_token', 'account_disabled']
      if (over.includes(error.reason)) return { kind: 'refused', reason: error.reason }
      const { retryAfterMs } = error
      return { kind: 'unavailable', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
    }
  }

  async logout(): Promise<void> {
    await this.#post('logout', this.#refreshToken === undefined ? {} : { refreshToken: this.#refreshToken })
    this.#refreshToken = undefined
  }

  async #enter(path: string, credentials: Credentials): Promise<Grant & { username: string }> {
    const cookie = this.useCookie ? { cookie: true } : {}
    const data = await this.#post<LoginData>(path, { ...credentials, ...this.device, ...cookie })
    return { ...this.#grantOf(data), username: data.username }
  }

  #grantOf({ userId, accessToken, expiresIn, refreshToken }: LoginData): Grant {
    this.#refreshToken = refreshToken ?? this.#refreshToken
    return { userId, accessToken, expiresInMs: expiresIn * 1_000 }
  }

  async #post<T>(path: string, body: object): Promise<T> {
    const answer = fetch(`${this.base}/api/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    return answerOf<T>(answer)
  }
}
