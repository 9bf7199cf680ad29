/** Which rows of equal height are in sight. */
import { useElementSize, useEventListener } from '@vueuse/core'
import { computed, ref, type ComputedRef, type Ref } from 'vue'

/** Rows beyond the edges, so that none is missing in a quick scroll. */
const BEYOND = 6

export function useFixedRows(scroller: Ref<HTMLElement | undefined>, count: ComputedRef<number>, rowPx: number) {
  const top = ref(0)
  const { height } = useElementSize(scroller)
  useEventListener(scroller, 'scroll', () => (top.value = scroller.value?.scrollTop ?? 0), { passive: true })
  const first = computed(() => Math.max(0, Math.floor(top.value / rowPx) - BEYOND))
  const last = computed(() => Math.min(count.value, Math.ceil((top.value + height.value) / rowPx) + BEYOND))
  return { first, last, totalPx: computed(() => count.value * rowPx) }
}
