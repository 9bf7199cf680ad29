/** Puts the client together. */
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, loadLocale } from './i18n'
import { router } from './router'
import { startShell } from './shell/start'
import { usePreferences } from './stores/preferences'
import { useSession } from './stores/session'
import './styles/tokens.css'
import './styles/base.css'
import './styles/menu.css'

export async function start(): Promise<void> {
  const app = createApp(App)
  app.use(createPinia())
  const preferences = usePreferences()
  const session = useSession()
  await Promise.all([loadLocale(preferences.locale), session.restore()])
  if (session.isLoggedIn) void session.learn()
  app.use(i18n).use(router)
  await router.isReady()
  app.mount('#app')
  startShell(router)
}
