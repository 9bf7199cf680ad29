/** Going somewhere by typing its name: Ctrl+K, or Cmd+K. */
import { useEventListener } from '@vueuse/core'
import { ref } from 'vue'

const isOpen = ref(false)
/** Its code is fetched when it is first opened. */
const wasOpened = ref(false)

export function openQuickSwitch(): void {
  wasOpened.value = true
  isOpen.value = true
}

export function useQuickSwitch() {
  useEventListener(window, 'keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== 'k') return
    event.preventDefault()
    if (isOpen.value) isOpen.value = false
    else openQuickSwitch()
  })
  return { isOpen, wasOpened }
}

export { isOpen as isQuickSwitchOpen }
