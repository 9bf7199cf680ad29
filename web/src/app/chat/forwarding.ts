/** Messages that are about to be sent on. */
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

export const useForwarding = defineStore('forwarding', () => {
  const messages = shallowRef<{ conversationId: string; seqs: number[] }>()
  return { messages, begin: (conversationId: string, seqs: number[]) => (messages.value = { conversationId, seqs }), stop: () => (messages.value = undefined) }
})
