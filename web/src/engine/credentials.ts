/** The access token, and how another one is got. One question at a time, whoever asks. */
import type { Clock, Grant, Log, Renew, Renewal } from './ports'

/** A token that ends sooner than this is not worth connecting with, in milliseconds. */
const TOO_SHORT_MS = 15_000

export class Credentials {
  #grant: (Grant & { expiresAt: number }) | undefined
  #asking: Promise<Renewal> | undefined

  constructor(
    private readonly renewal: Renew,
    private readonly clock: Clock,
    private readonly log: Log,
    grant?: Grant,
  ) {
    if (grant) this.#take(grant)
  }

  /** The token, if it is still good for a while. */
  get token(): string | undefined {
    const grant = this.#grant
    return grant && grant.expiresAt - this.clock.now() > TOO_SHORT_MS ? grant.accessToken : undefined
  }

  /** The server does not accept the token. */
  spoil(): void {
    this.#grant = undefined
  }

  /** Gets another token. Never throws. */
  renew(): Promise<Renewal> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(): Promise<Renewal> {
    try {
      const renewal = await this.renewal()
      if (renewal.kind === 'granted') this.#take(renewal.grant)
      return renewal
    } catch (error) {
      this.log('another token can not be asked for', error)
      return { kind: 'unavailable' }
    }
  }

  #take(grant: Grant): void {
    this.#grant = { ...grant, expiresAt: this.clock.now() + grant.expiresInMs }
  }
}
