/** Small things that this browser keeps, as JSON. A browser that keeps nothing is no reason to fail. */
import { ref, watch, type Ref } from 'vue'

export function kept<T>(name: string): T | undefined {
  try {
    const text = localStorage.getItem(name)
    return text === null ? undefined : (JSON.parse(text) as T)
  } catch {
    return undefined
  }
}

export function keep(name: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(name)
    else localStorage.setItem(name, JSON.stringify(value))
  } catch {
    // It holds for as long as the page is open.
  }
}

/** A value that outlives the page, and follows what other tabs make of it. */
export function keptRef<T>(name: string, initial: T): Ref<T> {
  const value = ref(kept<T>(name) ?? initial) as Ref<T>
  watch(value, (next) => keep(name, next), { deep: true })
  addEventListener('storage', (event) => {
    if (event.key === name) value.value = kept<T>(name) ?? initial
  })
  return value
}
