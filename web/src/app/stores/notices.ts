/** Whether and how this device tells of new messages while the page is not in front. */
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { keptRef } from '../platform/keep'

export const useNoticeSettings = defineStore('noticeSettings', () => {
  const isWanted = keptRef('petrel.notices', false)
  const showsText = keptRef('petrel.notices.text', true)
  const playsSound = keptRef('petrel.notices.sound', false)
  const isPossible = typeof Notification !== 'undefined'
  const permission = ref<NotificationPermission>(isPossible ? Notification.permission : 'denied')

  /** Asks the browser for permission, which it grants only after the user did something. */
  async function want(wanted: boolean): Promise<void> {
    if (wanted && isPossible && Notification.permission === 'default') await Notification.requestPermission()
    if (isPossible) permission.value = Notification.permission
    isWanted.value = wanted && permission.value === 'granted'
  }

  return { isWanted, showsText, playsSound, isPossible, permission, want }
})
