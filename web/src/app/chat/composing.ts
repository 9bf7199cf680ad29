/** What the composer is about beside a new message: an edit, or a reply. */
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

export interface Editing {
  conversationId: string
  seq: number
  text: string
}

export interface Replying {
  conversationId: string
  seq: number
  from: string
}

export const useComposing = defineStore('composing', () => {
  const editing = shallowRef<Editing>()
  const replying = shallowRef<Replying>()

  function edit(next: Editing): void {
    replying.value = undefined
    editing.value = next
  }

  function reply(next: Replying): void {
    editing.value = undefined
    replying.value = next
  }

  function stop(): void {
    editing.value = undefined
    replying.value = undefined
  }

  return { editing, replying, edit, reply, stop }
})
