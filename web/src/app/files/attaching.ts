/** Files that were chosen, dropped or pasted, and are looked at before they are sent. */
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import type { Target } from './uploads'

export const FILES_MAX = 20

export const useAttaching = defineStore('attaching', () => {
  const chosen = shallowRef<{ target: Target; files: File[] }>()

  function begin(target: Target, files: Iterable<File>): void {
    const list = [...files].slice(0, FILES_MAX)
    if (list.length > 0) chosen.value = { target, files: list }
  }

  function drop(index: number): void {
    if (!chosen.value) return
    const files = chosen.value.files.filter((_, other) => other !== index)
    chosen.value = files.length === 0 ? undefined : { ...chosen.value, files }
  }

  return { chosen, begin, drop, stop: () => (chosen.value = undefined) }
})
