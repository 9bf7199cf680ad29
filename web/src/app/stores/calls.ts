/** Calls, as far as everybody loads it: whether there is one, and that the user wants one. The rest is `calls/`. */
import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'
import { isLive, type CallMedia } from '../../engine'
import { keptRef } from '../platform/keep'
import { useMessenger } from './messenger'

export interface WantedCall {
  userId: string
  media: CallMedia
}

export const useCalls = defineStore('calls', () => {
  const messenger = useMessenger()
  /** Whom the user wants to call; taken by who does it. */
  const wanted = shallowRef<WantedCall>()
  /** Whether this tab has to do with a call, so that what shows calls is loaded. Once it is, it stays. */
  const isNeeded = ref(false)
  /** Whether a call begins in this tab, or has just ended here. */
  const isHere = ref(false)
  /** Whether devices may reach this one only through a relay, so that nobody learns its address. */
  const relayOnly = keptRef('petrel.calls.relayOnly', false)
  const isBusy = computed(() => isHere.value || wanted.value !== undefined || isLive(messenger.call))

  watch(() => messenger.call, (call) => {
    if (isLive(call)) isNeeded.value = true
  }, { immediate: true })

  /** Calls somebody, if nobody calls or is called already. */
  function begin(userId: string, media: CallMedia): void {
    if (isBusy.value) return
    wanted.value = { userId, media }
    isNeeded.value = true
  }

  return { wanted, isNeeded, isHere, isBusy, relayOnly, begin }
})
