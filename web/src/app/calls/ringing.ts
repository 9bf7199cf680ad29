/** A call that rings: a sound, a notice if nobody looks, and both from one tab of several. */
import { onUnmounted, watch } from 'vue'
import type { CallView } from '../../engine'
import { i18n } from '../i18n'
import { useNoticeSettings } from '../stores/notices'
import { usePeople } from '../stores/people'
import { play, RING } from './sounds'

/** How long a tab in which nobody looks leaves the ringing to another, in milliseconds. */
const BACK_SEAT_MS = 400
const SHAKES_MS = [400, 250, 400, 1_300]

/** Rings as long as there is a call to ring for. */
export function useRinging(ringing: () => CallView | undefined): void {
  const settings = useNoticeSettings()
  const people = usePeople()
  let silence: AbortController | undefined

  watch(() => ringing()?.callId, (callId) => {
    silence?.abort()
    silence = undefined
    const call = ringing()
    if (callId === undefined || !call) return
    silence = new AbortController()
    const { signal } = silence
    const isLookedAt = document.visibilityState === 'visible' && document.hasFocus()
    if (isLookedAt) ring(call, signal)
    else setTimeout(() => ring(call, signal), BACK_SEAT_MS)
  }, { immediate: true })
  onUnmounted(() => silence?.abort())

  /** Where another tab rings already, this one takes over when that one goes. */
  function ring(call: CallView, signal: AbortSignal): void {
    if (signal.aborted) return
    navigator.locks
      .request('petrel.ring', { signal }, () => {
        const stop = [play(RING), shake(), tell(call)]
        return new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            for (const end of stop) end()
            resolve()
          })
        })
      })
      .catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
  }

  function tell({ peer, media }: CallView): () => void {
    const isLookedAt = document.visibilityState === 'visible' && document.hasFocus()
    if (isLookedAt || !settings.isWanted || settings.permission !== 'granted') return () => {}
    const notice = new Notification(i18n.global.t('calls.rings', { name: people.nameNow(peer) }), {
      body: i18n.global.t(`calls.incoming_${media}`),
      tag: 'petrel-call',
      icon: '/icon-192.png',
      requireInteraction: true,
    })
    notice.onclick = () => {
      window.focus()
      notice.close()
    }
    return () => notice.close()
  }
}

/** Lets a phone shake. */
function shake(): () => void {
  if (!navigator.vibrate) return () => {}
  const once = () => void navigator.vibrate(SHAKES_MS)
  once()
  const timer = setInterval(once, SHAKES_MS.reduce((sum, ms) => sum + ms, 0))
  return () => {
    clearInterval(timer)
    navigator.vibrate(0)
  }
}
