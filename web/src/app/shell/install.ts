/** Installing the client as an app, where the browser offers that. */
import { computed, shallowRef } from 'vue'

/** As Chromium has it; no standard. */
interface InstallPrompt extends Event {
  prompt(): Promise<void>
}

const prompt = shallowRef<InstallPrompt>()

/** Listens for the browser's offer, which comes once and early. */
export function listenForInstall(): void {
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault()
    prompt.value = event as InstallPrompt
  })
  addEventListener('appinstalled', () => (prompt.value = undefined))
}

export function useInstall() {
  return {
    isOffered: computed(() => prompt.value !== undefined),
    async install(): Promise<void> {
      await prompt.value?.prompt()
      prompt.value = undefined
    },
  }
}
