/** What admins of the system say to everybody, or have done to the user, but for what is over and what the user has closed. */
import { useNow } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed } from 'vue'
import { i18n } from '../i18n'
import { keptRef } from '../platform/keep'
import { useMessenger } from './messenger'
import { useSession } from './session'

/** For how long something that was done is told, in milliseconds. */
const DONE_MS = 7 * 24 * 60 * 60 * 1000
/** So many closed ones are remembered. */
const CLOSED_MAX = 100

export const useSystemNotices = defineStore('systemNotices', () => {
  const messenger = useMessenger()
  const session = useSession()
  /** Those that were closed in this browser, the latest at the end. */
  const closed = keptRef<string[]>('petrel.notices.closed', [])
  const now = useNow({ interval: 5_000 })

  const said = computed(() => messenger.notices.filter(({ untilTs = Infinity }) => untilTs > now.value.getTime()).map(({ noticeId, text }) => ({ noticeId, text })))
  const done = computed(() => {
    const { seq, ts } = messenger.personal?.cleared ?? {}
    if (ts === undefined || now.value.getTime() - ts > DONE_MS) return []
    return [{ noticeId: `cleared-${session.userId}-${seq}`, text: i18n.global.t('ui.profileCleared') }]
  })
  const shown = computed(() => [...said.value, ...done.value].filter(({ noticeId }) => !closed.value.includes(noticeId)))

  function close(noticeId: string): void {
    closed.value = [...closed.value, noticeId].slice(-CLOSED_MAX)
  }

  return { shown, close }
})
