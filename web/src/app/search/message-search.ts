/**
 * A search for messages as it is typed: asked for a moment after the last key, one question at a time, page by page.
 * What the server answers to words that were changed meanwhile is of no use and not shown.
 */
import { shallowRef } from 'vue'
import type { Found, Hit } from '../../engine/wire/search'

/** What is looked for. Without words and kind there is nothing to look for. */
export interface Wanted {
  q: string
  conversationId?: string | undefined
  msgType?: string | undefined
}

export type AskSearch = (wanted: Wanted, cursor: string | undefined, signal: AbortSignal) => Promise<Found>

/** The most that the server takes, in UTF-16 code units. */
export const WORDS_MAX = 128

export class MessageSearch {
  readonly hits = shallowRef<readonly Hit[]>([])
  readonly state = shallowRef<'idle' | 'searching' | 'done' | 'failed'>('idle')
  readonly problem = shallowRef<unknown>()
  readonly hasMore = shallowRef(false)
  /** About how many changes of the whole system were not searched yet. */
  readonly behind = shallowRef(0)
  #wanted: Wanted | undefined
  #cursor: string | undefined
  #running: AbortController | undefined

  constructor(private readonly ask: AskSearch) {}

  /** Looks for something else from now on. Returns when the first page is here, or is not wanted any more. */
  async look(wanted: Wanted): Promise<void> {
    this.stop()
    const q = wanted.q.trim().slice(0, WORDS_MAX)
    if (q === '' && wanted.msgType === undefined) return
    this.#wanted = { ...wanted, q }
    await this.#page()
  }

  /** The next page, or the one that failed once more. */
  async more(): Promise<void> {
    if (this.state.value === 'searching' || !this.#wanted) return
    if (this.state.value === 'done' && !this.hasMore.value) return
    await this.#page()
  }

  /** Forgets what was looked for and found. */
  stop(): void {
    this.#running?.abort()
    this.#running = undefined
    this.#wanted = undefined
    this.#cursor = undefined
    this.hits.value = []
    this.state.value = 'idle'
    this.problem.value = undefined
    this.hasMore.value = false
    this.behind.value = 0
  }

  async #page(): Promise<void> {
    const running = new AbortController()
    this.#running = running
    this.state.value = 'searching'
    this.problem.value = undefined
    try {
      const found = await this.ask(this.#wanted!, this.#cursor, running.signal)
      if (this.#running !== running) return
      this.hits.value = [...this.hits.value, ...found.hits]
      this.#cursor = found.cursor
      this.hasMore.value = found.cursor !== undefined
      this.behind.value = found.behind
      this.state.value = 'done'
    } catch (error) {
      if (this.#running !== running) return
      this.problem.value = error
      this.state.value = 'failed'
    }
  }
}
