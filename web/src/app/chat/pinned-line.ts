/** A pinned message in one line: who says what. */
import { i18n } from '../i18n'
import { usePeople } from '../stores/people'
import { useSession } from '../stores/session'
import { lineOf } from './message-text'
import { useSingleMessages } from './single-messages'

export function pinnedLine(conversationId: string, seq: number): string {
  const { t } = i18n.global
  const event = useSingleMessages().get(conversationId, seq)
  if (event === undefined) return t('ui.loading')
  if (event === null || event.what.kind !== 'message') return t('chat.quoteElsewhere')
  if (event.what.recalled) return t('chat.quoteRecalled')
  return t('chat.said', { name: usePeople().name(event.from, conversationId), text: lineOf(event.what, event.from === useSession().userId) })
}
