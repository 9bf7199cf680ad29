import type { Area } from '../areas'

export const area: Area = {
  routes: [
    {
      path: 'chats/:conversationId(\\d+)/info',
      name: 'groupInfo',
      components: { list: () => import('../chat/ConversationList.vue'), default: () => import('./GroupPage.vue') },
      props: { list: false, default: true },
      meta: { pane: 'main' },
    },
  ],
}
