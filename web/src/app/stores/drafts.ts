/** What was written and not sent, by conversation. This browser keeps it, for all its tabs. */
import { defineStore } from 'pinia'
import { shallowReactive, watch } from 'vue'
import { keep, kept } from '../platform/keep'
import { useSession } from './session'

export interface Draft {
  text: string
  /** When it was last touched. */
  ts: number
}

const DRAFTS_MAX = 200

export const useDrafts = defineStore('drafts', () => {
  const session = useSession()
  const drafts = shallowReactive(new Map<string, Draft>())
  /** When drafts were left: what is being typed in does not move about. */
  const touched = shallowReactive(new Map<string, number>())
  const name = () => `petrel.drafts.${session.userId}`

  function load(): void {
    drafts.clear()
    touched.clear()
    if (session.userId === '') return
    for (const [id, draft] of Object.entries(kept<Record<string, Draft>>(name()) ?? {})) {
      drafts.set(id, draft)
      touched.set(id, draft.ts)
    }
  }

  watch(() => session.userId, load, { immediate: true })
  addEventListener('storage', ({ key }) => {
    if (key === name()) load()
  })

  function textOf(id: string): string {
    return drafts.get(id)?.text ?? ''
  }

  function write(id: string, text: string): void {
    if (textOf(id) === text) return
    if (text.trim() === '') drafts.delete(id)
    else drafts.set(id, { text, ts: Date.now() })
    if (text.trim() === '') touched.delete(id)
    const newest = [...drafts].sort(([, one], [, other]) => other.ts - one.ts).slice(0, DRAFTS_MAX)
    keep(name(), newest.length === 0 ? undefined : Object.fromEntries(newest))
  }

  /** The user has gone elsewhere: from now on the conversation stands where its draft says. */
  function leave(id: string): void {
    const draft = drafts.get(id)
    if (draft) touched.set(id, draft.ts)
  }

  return { drafts, touched, textOf, write, leave }
})
