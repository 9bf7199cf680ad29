import { createRouter, createWebHistory } from 'vue-router'
import { areas } from './areas'
import { useSession } from './stores/session'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/login', name: 'login', component: () => import('./auth/LoginPage.vue'), meta: { isPublic: true } },
    { path: '/register', name: 'register', component: () => import('./auth/RegisterPage.vue'), meta: { isPublic: true } },
    { path: '/reset', name: 'redeem', component: () => import('./auth/RedeemPage.vue'), meta: { isPublic: true } },
    {
      path: '/',
      component: () => import('./layout/AppShell.vue'),
      children: [
        { path: '', redirect: '/chats' },
        ...areas.flatMap(({ routes }) => routes),
        { path: ':rest(.*)*', name: 'notFound', component: () => import('./layout/NotFoundPage.vue'), meta: { pane: 'main' } },
      ],
    },
  ],
})

router.beforeEach(async (to) => {
  const session = useSession()
  if (!session.isLoggedIn && !to.meta.isPublic) {
    return { name: 'login', query: to.fullPath === '/' || to.fullPath === '/chats' ? {} : { next: to.fullPath } }
  }
  if (session.isLoggedIn && to.meta.isPublic) return '/chats'
  // Right after logging in, or after having been made an admin, it is not known here yet.
  if (to.meta.adminOnly && !session.account?.admin) await session.learn()
  if (to.meta.adminOnly && !session.account?.admin) return '/chats'
  return true
})
