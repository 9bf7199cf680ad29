/** The own message of which the user wants to know who has read it. */
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

export const useReading = defineStore('reading', () => {
  const message = shallowRef<{ conversationId: string; serverMsgId: string }>()
  return { message, begin: (conversationId: string, serverMsgId: string) => (message.value = { conversationId, serverMsgId }), stop: () => (message.value = undefined) }
})
