/** Short notices that come and go. */
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { wordsOf } from '../i18n'

export interface Toast {
  key: number
  text: string
  tone: 'plain' | 'success' | 'danger'
  action?: { label: string; run: () => void }
}

const SHOWN_MS = 5_000
const SHOWN_MAX = 4

export const useToasts = defineStore('toasts', () => {
  const toasts = ref<Toast[]>([])
  let nextKey = 1

  function show(text: string, options: Partial<Omit<Toast, 'key' | 'text'>> = {}): void {
    const key = nextKey++
    toasts.value = [...toasts.value, { key, text, tone: 'plain' as const, ...options }].slice(-SHOWN_MAX)
    setTimeout(() => dismiss(key), options.action || options.tone === 'danger' ? SHOWN_MS * 1.6 : SHOWN_MS)
  }

  /** What went wrong, in words for people. */
  function fail(error: unknown): void {
    show(wordsOf(error), { tone: 'danger' })
  }

  function dismiss(key: number): void {
    toasts.value = toasts.value.filter((toast) => toast.key !== key)
  }

  return { toasts, show, fail, dismiss }
})
