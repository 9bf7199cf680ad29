import { Settings } from '@lucide/vue'
import type { Area } from '../areas'

const list = () => import('./SettingsList.vue')
const page = (path: string, name: string, load: () => Promise<unknown>, pane: 'list' | 'main' = 'main') => ({
  path,
  name,
  components: { list, default: load as never },
  meta: { pane },
})

export const area: Area = {
  routes: [
    page('settings', 'settings', () => import('./ProfilePage.vue'), 'list'),
    page('settings/profile', 'settingsProfile', () => import('./ProfilePage.vue')),
    page('settings/password', 'settingsPassword', () => import('./PasswordPage.vue')),
    page('settings/devices', 'settingsDevices', () => import('./DevicesPage.vue')),
    page('settings/appearance', 'settingsAppearance', () => import('./AppearancePage.vue')),
    page('settings/notifications', 'settingsNotifications', () => import('./NotificationsPage.vue')),
    page('settings/privacy', 'settingsPrivacy', () => import('./PrivacyPage.vue')),
    page('settings/about', 'settingsAbout', () => import('./AboutPage.vue')),
  ],
  nav: [{ to: '/settings', label: 'nav.settings', icon: Settings, order: 110 }],
}
