/** Searching messages in a page: over HTTP, a moment after the last key. */
import { watchDebounced } from '@vueuse/core'
import { onScopeDispose, type Ref } from 'vue'
import { readFound } from '../../engine/wire/search'
import { useSession } from '../stores/session'
import { MessageSearch, type Wanted } from './message-search'

const PAUSE_MS = 300
const PAGE = 30

export function useMessageSearch(wanted: Readonly<Ref<Wanted>>): MessageSearch {
  const { http } = useSession()
  const search = new MessageSearch(async ({ q, conversationId, msgType }, cursor, signal) => {
    const query = { ...(q === '' ? {} : { q }), conversationId, msgType, cursor, limit: PAGE }
    return readFound(await http.ask('/api/messages/search', { query, signal }), 'answer')
  })
  watchDebounced(wanted, (now) => void search.look(now), { debounce: PAUSE_MS, immediate: true })
  onScopeDispose(() => search.stop())
  return search
}
