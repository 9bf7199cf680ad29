/** The access token of this tab: one question at a time, whoever asks. */
import type { Grant, Renewal, Renew } from '../../engine'
import type { TokenSource } from './http'

/** A token that ends sooner than this is not worth asking with, in milliseconds. */
const TOO_SHORT_MS = 30_000

export class AccessTokens implements TokenSource {
  #grant: (Grant & { expiresAt: number }) | undefined
  #asking: Promise<Renewal> | undefined

  constructor(private readonly ask: Renew) {}

  take(grant: Grant): void {
    this.#grant = { ...grant, expiresAt: Date.now() + grant.expiresInMs }
  }

  clear(): void {
    this.#grant = undefined
  }

  spoil(token: string): void {
    if (this.#grant?.accessToken === token) this.#grant = undefined
  }

  async token(): Promise<string | undefined> {
    if (this.#grant && this.#grant.expiresAt - Date.now() > TOO_SHORT_MS) return this.#grant.accessToken
    const renewal = await this.renew()
    return renewal.kind === 'granted' ? renewal.grant.accessToken : undefined
  }

  renew(): Promise<Renewal> {
    this.#asking ??= this.#renew().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #renew(): Promise<Renewal> {
    const renewal = await this.ask()
    if (renewal.kind === 'granted') this.take(renewal.grant)
    return renewal
  }
}
