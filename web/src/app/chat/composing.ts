/** What the composer is about beside a new message: an edit. */
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

export interface Editing {
  conversationId: string
  seq: number
  text: string
}

export const useComposing = defineStore('composing', () => {
  const editing = shallowRef<Editing>()
  return { editing, edit: (next: Editing) => (editing.value = next), stop: () => (editing.value = undefined) }
})
