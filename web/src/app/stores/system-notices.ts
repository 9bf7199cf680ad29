/** What admins of the system say to everybody, but for what is over and what the user has closed. */
import { useNow } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed } from 'vue'
import { keptRef } from '../platform/keep'
import { useMessenger } from './messenger'

/** So many closed ones are remembered. */
const CLOSED_MAX = 100

export const useSystemNotices = defineStore('systemNotices', () => {
  const messenger = useMessenger()
  /** Those that were closed in this browser, the latest at the end. */
  const closed = keptRef<string[]>('petrel.notices.closed', [])
  const now = useNow({ interval: 5_000 })

  const shown = computed(() => messenger.notices.filter(({ noticeId, untilTs = Infinity }) => untilTs > now.value.getTime() && !closed.value.includes(noticeId)))

  function close(noticeId: string): void {
    closed.value = [...closed.value, noticeId].slice(-CLOSED_MAX)
  }

  return { shown, close }
})
