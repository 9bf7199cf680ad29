/** Several messages chosen at once, in the chat that is open. */
import { defineStore } from 'pinia'
import { ref, shallowReactive } from 'vue'

export const useSelection = defineStore('selection', () => {
  const isActive = ref(false)
  const seqs = shallowReactive(new Set<number>())

  function begin(seq: number): void {
    seqs.clear()
    seqs.add(seq)
    isActive.value = true
  }

  function toggle(seq: number): void {
    if (!seqs.delete(seq)) seqs.add(seq)
    if (seqs.size === 0) isActive.value = false
  }

  function end(): void {
    isActive.value = false
    seqs.clear()
  }

  return { isActive, seqs, begin, toggle, end }
})
