/** Tabs in one process, for tests. */
import type { Tabs, Word } from '../tabs/ports'

export class TabHub {
  #tabs: TestTabs[] = []
  #leader: TestTabs | undefined
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

  remove(tab: TestTabs): void {
    this.#tabs = this.#tabs.filter((other) => other !== tab)
    if (this.#leader === tab) this.#leader = undefined
    this.elect()
  }
}

export class TestTabs implements Tabs {
  listener: (word: Word) => void = () => {}
  onLead: (() => void) | undefined

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

  leave(): void {
    this.hub.remove(this)
  }
}
