import { Users } from '@lucide/vue'
import type { Area } from '../areas'
import { useContacts } from '../stores/contacts'

const list = () => import('./ContactList.vue')
const page = (path: string, name: string, load: () => Promise<unknown>) => ({
  path,
  name,
  components: { list, default: load as never },
  props: { list: false, default: true },
  meta: { pane: 'main' as const },
})

export const area: Area = {
  routes: [
    { path: 'contacts', name: 'contacts', components: { list, default: () => import('./ContactWelcome.vue') }, meta: { pane: 'list' } },
    page('contacts/requests', 'contactRequests', () => import('./RequestsPage.vue')),
    page('contacts/blocked', 'blocked', () => import('./BlockedPage.vue')),
    page('contacts/add/:code?', 'addContact', () => import('./AddPage.vue')),
    page('contacts/new-group', 'newGroup', () => import('../groups/NewGroupPage.vue')),
    page('contacts/join/:code?', 'joinGroup', () => import('../groups/JoinGroupPage.vue')),
    page('contacts/:userId(\\d+)', 'contact', () => import('./ContactPage.vue')),
  ],
  nav: [{ to: '/contacts', label: 'nav.contacts', icon: Users, order: 20, badge: () => useContacts().waiting }],
}
