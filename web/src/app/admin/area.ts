import { Gauge } from '@lucide/vue'
import type { Area } from '../areas'
import { useSession } from '../stores/session'

/** What a page needs besides itself: the texts of this part, which nobody else loads. */
const withTexts = (load: () => Promise<unknown>) => async () => {
  const [page, { useAdminTexts }] = await Promise.all([load(), import('./texts')])
  useAdminTexts()
  return page as never
}
const list = withTexts(() => import('./AdminList.vue'))
const page = (path: string, name: string, load: () => Promise<unknown>, pane: 'list' | 'main' = 'main') => ({
  path,
  name,
  components: { list, default: withTexts(load) },
  props: { list: false, default: true },
  meta: { pane, adminOnly: true },
})

export const area: Area = {
  routes: [
    page('admin', 'admin', () => import('./OverviewPage.vue'), 'list'),
    page('admin/overview', 'adminOverview', () => import('./OverviewPage.vue')),
    page('admin/users', 'adminUsers', () => import('./UsersPage.vue')),
    page('admin/users/:userId(\\d+)', 'adminUser', () => import('./UserPage.vue')),
    page('admin/new-user', 'adminNewUser', () => import('./NewUserPage.vue')),
    page('admin/invites', 'adminInvites', () => import('./InvitesPage.vue')),
    page('admin/groups', 'adminGroups', () => import('./GroupsPage.vue')),
    page('admin/groups/:groupId(\\d+)', 'adminGroup', () => import('./GroupPage.vue')),
    page('admin/notices', 'adminNotices', () => import('./NoticesPage.vue')),
    page('admin/limits', 'adminLimits', () => import('./LimitsPage.vue')),
    page('admin/audit', 'adminAudit', () => import('./AuditPage.vue')),
    page('admin/words', 'adminWords', () => import('./WordsPage.vue')),
  ],
  nav: [{ to: '/admin', label: 'nav.admin', icon: Gauge, order: 100, isShown: () => useSession().account?.admin === true }],
}
