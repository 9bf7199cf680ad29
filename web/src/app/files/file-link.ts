/** The link to a file, for as long as something shows it. */
import { onScopeDispose, ref, watchEffect } from 'vue'
import { linkOf, type FileLink } from './file-api'

export function useFileLink(fileId: () => string | undefined) {
  const link = ref<FileLink>()
  const problem = ref<unknown>()
  let isGone = false
  onScopeDispose(() => (isGone = true))

  async function renew(): Promise<void> {
    const id = fileId()
    problem.value = undefined
    if (id === undefined) return
    try {
      const next = await linkOf(id)
      if (!isGone && id === fileId()) link.value = next
    } catch (error) {
      if (!isGone) problem.value = error
    }
  }
  watchEffect(() => void renew())
  return { link, problem, renew }
}
