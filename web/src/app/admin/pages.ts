/** Lists that come in pages. */
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { wordsOf } from '../i18n'
import type { Page } from './admin-api'

/** So many answers with nothing in them are followed by another question at once: one answer looks at so much only. */
const EMPTY_MAX = 10

export interface Pages<T> {
  /** Undefined until the first page is there. */
  items: ShallowRef<T[] | undefined>
  hasMore: Ref<boolean>
  isBusy: Ref<boolean>
  /** What went wrong with the last question, in words for people. */
  fault: Ref<string | undefined>
  /** Begins anew; what was asked before no longer matters. */
  restart: () => Promise<void>
  more: () => Promise<void>
}

export function usePages<T>(fetchPage: (next: string | undefined, signal: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const items = shallowRef<T[]>()
  const hasMore = ref(false)
  const isBusy = ref(false)
  const fault = ref<string>()
  let next: string | undefined
  let asking = new AbortController()
  onScopeDispose(() => asking.abort())

  async function fetchNext(isFirst: boolean): Promise<void> {
    asking.abort()
    const { signal } = (asking = new AbortController())
    isBusy.value = true
    fault.value = undefined
    let from = isFirst ? undefined : next
    try {
      for (let asked = 1; ; asked++) {
        const page = await fetchPage(from, signal)
        if (signal.aborted) return
        from = page.next
        if (page.items.length === 0 && from !== undefined && asked < EMPTY_MAX) continue
        items.value = isFirst ? page.items : [...(items.value ?? []), ...page.items]
        break
      }
      next = from
      hasMore.value = next !== undefined
    } catch (error) {
      if (!signal.aborted) fault.value = wordsOf(error)
    }
    if (!signal.aborted) isBusy.value = false
  }

  return { items, hasMore, isBusy, fault, restart: () => fetchNext(true), more: () => fetchNext(false) }
}
