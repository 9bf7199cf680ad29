import { MessageCircle } from '@lucide/vue'
import type { Area } from '../areas'
import { useConversations } from '../stores/conversations'

const list = () => import('./ConversationList.vue')

export const area: Area = {
  routes: [
    { path: 'chats', name: 'chats', components: { list, default: () => import('./ChatWelcome.vue') }, meta: { pane: 'list' } },
    { path: 'chats/with/:userId', name: 'chatWith', components: { list, default: () => import('./NewChatPage.vue') }, props: { list: false, default: true }, meta: { pane: 'main' } },
    { path: 'chats/:conversationId', name: 'chat', components: { list, default: () => import('./ChatPage.vue') }, props: { list: false, default: true }, meta: { pane: 'main' } },
  ],
  nav: [{ to: '/chats', label: 'nav.chats', icon: MessageCircle, order: 10, badge: () => useConversations().unread }],
}
