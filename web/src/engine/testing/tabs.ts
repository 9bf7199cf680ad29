/** Tabs in one process, for tests. */
import type { Tabs, Word } from '../tabs/ports'

export class TabHub {
  #tabs: TestTabs[] = []
  #leader: TestTabs | undefined
  /** What waits for a tab to be gone, by its name. */
  readonly #mourners = new Map<string, (() => void)[]>()
  /** Words that are not heard yet; a test lets them through. */
  readonly words: { from: TestTabs; word: Word }[] = []

  open(): TestTabs {
    const tab = new TestTabs(this)
    this.#tabs.push(tab)
    return tab
  }

  deliver(): void {
    for (let next = this.words.shift(); next; next = this.words.shift()) {
      for (const tab of this.#tabs) if (tab !== next.from) tab.listener(structuredClone(next.word))
    }
  }

  elect(): void {
    if (this.#leader) return
    this.#leader = this.#tabs.find(({ onLead }) => onLead !== undefined)
    this.#leader?.onLead?.()
  }

  whenGone(tab: string, onGone: () => void): void {
    this.#mourners.set(tab, [...(this.#mourners.get(tab) ?? []), onGone])
  }

  remove(tab: TestTabs): void {
    this.#tabs = this.#tabs.filter((other) => other !== tab)
    if (this.#leader === tab) this.#leader = undefined
    for (const onGone of this.#mourners.get(tab.name) ?? []) onGone()
    this.elect()
  }
}

export class TestTabs implements Tabs {
  listener: (word: Word) => void = () => {}
  onLead: (() => void) | undefined
  name = ''

  constructor(private readonly hub: TabHub) {}

  lead(onLead: () => void): void {
    this.onLead = onLead
    this.hub.elect()
  }

  say(word: Word): void {
    this.hub.words.push({ from: this, word })
  }

  hear(listener: (word: Word) => void): void {
    this.listener = listener
  }

  be(tab: string): void {
    this.name = tab
  }

  whenGone(tab: string, onGone: () => void): void {
    this.hub.whenGone(tab, onGone)
  }

  leave(): void {
    this.hub.remove(this)
  }
}
