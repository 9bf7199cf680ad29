/** What several tabs of one user need of each other. */
import type { Patch } from '../view'

/** A word from one tab to all others. */
export type Word =
  /** A tab without a view asks the leader for one. */
  | { kind: 'hello'; tab: string }
  /** Everything, for the tab that asked; or for all, from a new leader. */
  | { kind: 'whole'; leader: string; tab?: string; patch: Patch }
  | { kind: 'news'; patch: Patch }
  /**
   * What the user asks for in a tab that does not lead: of one leader, in order, and numbered
   * so that it is done once.
   */
  | { kind: 'ask'; leader: string; tab: string; number: number; command: string; parameters: unknown[] }
  /** The leader has done it, and what matters of it is on disk. */
  | { kind: 'done'; tab: string; number: number }
  /** A tab goes: what it had open is no longer looked at. */
  | { kind: 'bye'; tab: string }

/** How tabs of one user find a leader and speak with each other. */
export interface Tabs {
  /** Calls once when this tab leads; it does until it leaves or its process ends. */
  lead(onLead: () => void): void
  /** Says something to all other tabs, in order. */
  say(word: Word): void
  /** Hears what other tabs say. */
  hear(listener: (word: Word) => void): void
  /** Is there under this name, until it leaves or its process ends. */
  be(tab: string): void
  /** Calls once when the tab of this name is not there any more. */
  whenGone(tab: string, onGone: () => void): void
  leave(): void
}
