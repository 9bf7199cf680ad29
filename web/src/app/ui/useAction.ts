/** Something that a button does and that takes a moment. */
import { ref, type Ref } from 'vue'
import { useToasts } from '../stores/toasts'

/** Runs one thing at a time; what goes wrong is shown as a notice. `run` tells whether it worked. */
export function useAction(): { isBusy: Ref<boolean>; run: (what: () => Promise<unknown>) => Promise<boolean> } {
  const isBusy = ref(false)
  const toasts = useToasts()
  async function run(what: () => Promise<unknown>): Promise<boolean> {
    if (isBusy.value) return false
    isBusy.value = true
    try {
      await what()
      return true
    } catch (error) {
      toasts.fail(error)
      return false
    } finally {
      isBusy.value = false
    }
  }
  return { isBusy, run }
}
