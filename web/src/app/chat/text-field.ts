/** A text area that is as high as its text, and takes text where the cursor is. */
import { nextTick, watch, type Ref } from 'vue'

export function useTextField(field: Ref<HTMLTextAreaElement | undefined>, text: Ref<string>) {
  function fit(): void {
    const element = field.value
    if (!element) return
    element.style.height = 'auto'
    element.style.height = `${element.scrollHeight}px`
  }

  watch([text, field], () => void nextTick(fit), { immediate: true })

  /** Puts text in the place of what is selected, and the cursor after it. */
  function insert(words: string, from?: number, to?: number): void {
    const element = field.value
    const start = from ?? element?.selectionStart ?? text.value.length
    const end = to ?? element?.selectionEnd ?? start
    text.value = text.value.slice(0, start) + words + text.value.slice(end)
    void nextTick(() => {
      element?.focus()
      element?.setSelectionRange(start + words.length, start + words.length)
    })
  }

  function focus(): void {
    const element = field.value
    element?.focus()
    element?.setSelectionRange(text.value.length, text.value.length)
  }

  return { insert, focus, fit }
}
