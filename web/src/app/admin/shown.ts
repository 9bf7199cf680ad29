/** One thing of the system that a page shows: loaded, loaded anew when it changes, and whatever keeps it from being shown. */
import { ref, shallowRef, watch } from 'vue'
import { wordsOf } from '../i18n'

/** Shows what `idOf` names. `onOther` is called when that is another one, before it is loaded. */
export function useShown<T>(idOf: () => string, fetch: (id: string) => Promise<T>, onOther: () => void = () => {}) {
  const shown = shallowRef<T>()
  /** What went wrong with the last question, in words for people. */
  const fault = ref<string>()

  async function load(): Promise<void> {
    const asked = idOf()
    try {
      const answer = await fetch(asked)
      if (asked === idOf()) [shown.value, fault.value] = [answer, undefined]
    } catch (error) {
      if (asked === idOf()) fault.value = wordsOf(error)
    }
  }
  watch(
    idOf,
    () => {
      shown.value = fault.value = undefined
      onOther()
      void load()
    },
    { immediate: true },
  )

  return { shown, fault, load }
}
