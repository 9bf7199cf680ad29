/** Asking the server over HTTP, with the access token of who is logged in. */

/** A refusal, with the reason that programs match on and the text that people read. */
export class ApiError extends Error {
  constructor(
    readonly reason: string,
    message: string,
    readonly status = 0,
    readonly retryAfterMs?: number,
  ) {
    super(message)
    this.name = 'ApiError'
  }
}

/** Where access tokens come from. */
export interface TokenSource {
  /** A token that is good for a while; undefined if there is none to be had now. */
  token(): Promise<string | undefined>
  /** The server does not accept it. */
  spoil(token: string): void
}

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  query?: Record<string, string | number | boolean | undefined>
  /** Goes as JSON, unless it is bytes. */
  body?: unknown
  signal?: AbortSignal
}

/** How long an answer is waited for, in milliseconds. */
const ANSWER_MS = 15_000

/** What the server answers, whatever became of it. @throws ApiError, with the reason `unreachable` when nobody answers. */
export async function answerOf<T>(response: Promise<Response>): Promise<T> {
  let answer: { data: T; reason?: string; message?: string; retryAfterMs?: number }
  let status: number
  try {
    const arrived = await response
    status = arrived.status
    answer = await arrived.json()
    if (arrived.ok) return answer.data
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError('unreachable', 'the server did not answer')
  }
  throw new ApiError(answer.reason ?? 'internal', answer.message ?? `status ${status}`, status, answer.retryAfterMs)
}

export class HttpApi {
  constructor(
    private readonly tokens: TokenSource,
    private readonly base = '',
  ) {}

  /** The `data` of an answer. @throws ApiError */
  async ask<T>(path: string, ask: Ask = {}): Promise<T> {
    const token = await this.tokens.token()
    if (token === undefined) throw new ApiError('unreachable', 'there is no access token now')
    try {
      return await answerOf<T>(this.#fetch(path, ask, token))
    } catch (error) {
      // A wrong password is no matter of the token.
      if (!(error instanceof ApiError) || error.status !== 401 || error.reason === 'bad_credentials') throw error
      this.tokens.spoil(token)
      const next = await this.tokens.token()
      if (next === undefined) throw error
      return answerOf<T>(this.#fetch(path, ask, next))
    }
  }

  #fetch(path: string, { method = 'GET', query = {}, body, signal }: Ask, token: string): Promise<Response> {
    const parameters = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value))
    const isBytes = body instanceof Blob
    const contentType = isBytes ? body.type : 'application/json'
    const timeout = AbortSignal.timeout(ANSWER_MS)
    return fetch(`${this.base}${path}${parameters.size > 0 ? `?${parameters}` : ''}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': contentType }) },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      ...(body === undefined ? {} : { body: isBytes ? body : JSON.stringify(body) }),
    })
  }
}
