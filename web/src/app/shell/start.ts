/** What the client does beside its pages: notices, and being an app. */
import type { Router } from 'vue-router'
import { listenForInstall } from './install'
import { startNotices } from './notices'

export function startShell(router: Router): void {
  listenForInstall()
  startNotices(router)
  // Only what the server has built: while developing it would keep old files.
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    navigator.serviceWorker.register('/sw.js').catch((error: unknown) => console.warn('petrel: no service worker', error))
  }
}
