/** Who types, in words. */
import { i18n } from '../i18n'
import { useMessenger } from '../stores/messenger'
import { usePeople } from '../stores/people'
import { useSession } from '../stores/session'

export function typingText(conversationId: string): string {
  const messenger = useMessenger()
  const me = useSession().userId
  const users = (messenger.typing.get(conversationId) ?? []).filter((user) => user !== me)
  if (users.length === 0) return ''
  const { t } = i18n.global
  if (messenger.conversations.get(conversationId)?.kind === 'single') return t('chat.typing')
  const name = usePeople().name(users[0]!, conversationId)
  return users.length === 1 ? t('chat.typingOne', { name }) : t('chat.typingMany', { name, n: users.length - 1 })
}
