/** The emoji, their names and groups, from the bundled data; the words in the language of who reads, and the recently used. */
import { i18n } from '../i18n'
import { keep, kept } from '../platform/keep'

export interface Emoji {
  unicode: string
  label: string
  /** What it is found by. */
  words: string
}

export interface EmojiGroup {
  key: string
  emoji: Emoji[]
}

interface Entry {
  unicode: string
  label: string
  group?: number
  tags?: string[]
}

/** Group 2 are components, which are no emoji by themselves. */
const GROUPS = ['smileys', 'people', '', 'nature', 'food', 'travel', 'activities', 'objects', 'symbols', 'flags']
const RECENT = 'petrel.emoji'
const RECENT_MAX = 24
/** What is offered to who has used none yet. */
const FIRST = ['👍', '❤️', '😂', '🎉', '🙏', '😮', '😢', '🔥']

export async function loadEmoji(): Promise<EmojiGroup[]> {
  const { default: english } = (await import('emojibase-data/en/compact.json')) as unknown as { default: Entry[] }
  const local = i18n.global.locale.value === 'zh' ? ((await import('emojibase-data/zh/compact.json')) as unknown as { default: Entry[] }).default : english
  const names = new Map(local.map((entry) => [entry.unicode, entry]))
  const groups: EmojiGroup[] = GROUPS.map((key) => ({ key, emoji: [] }))
  for (const entry of english) {
    const group = entry.group === undefined ? undefined : groups[entry.group]
    if (!group || group.key === '') continue
    const { label = entry.label, tags = [] } = names.get(entry.unicode) ?? {}
    const words = [label, ...tags, entry.label, ...(entry.tags ?? [])].join(' ').toLocaleLowerCase()
    group.emoji.push({ unicode: entry.unicode, label, words })
  }
  return groups.filter(({ emoji }) => emoji.length > 0)
}

export function recentEmoji(): string[] {
  const recent = kept<string[]>(RECENT) ?? []
  return [...new Set([...recent, ...FIRST])].slice(0, Math.max(recent.length, FIRST.length))
}

export function noteEmoji(emoji: string): void {
  keep(RECENT, [...new Set([emoji, ...(kept<string[]>(RECENT) ?? [])])].slice(0, RECENT_MAX))
}
