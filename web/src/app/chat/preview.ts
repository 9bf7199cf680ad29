/** What a conversation's row says of its last event. */
import type { ConversationView, TimelineEvent } from '../../engine'
import { i18n } from '../i18n'
import { usePeople } from '../stores/people'
import { useSession } from '../stores/session'
import { lineOf } from './message-text'
import { isNotice, noticeText } from './notices'

export interface Preview {
  /** Who says it, in a group, unless it is told in the text. */
  who?: string
  text: string
  /** Whether the user says it. */
  isOwn: boolean
  isNotice: boolean
}

export function previewOf(conversation: ConversationView): Preview {
  const { last, kind } = conversation
  if (!last) return { text: '', isOwn: false, isNotice: false }
  const me = useSession().userId
  const { what, from, conversationId } = last
  if (what.kind === 'change') {
    return { text: isNotice(what.change) ? noticeText(what.change, from, conversationId, what.fallback) : textOfChange(last), isOwn: false, isNotice: true }
  }
  if (what.recalled) return { text: recalledText(from, conversationId), isOwn: false, isNotice: true }
  const isOwn = from === me
  const who = kind === 'group' ? (isOwn ? i18n.global.t('chat.you') : usePeople().name(from, conversationId)) : undefined
  return { text: lineOf(what, isOwn), isOwn, isNotice: false, ...(who === undefined ? {} : { who }) }
}

export function recalledText(from: string, conversationId: string): string {
  const { t } = i18n.global
  return from === useSession().userId ? t('chat.recalledByYou') : t('chat.recalledBy', { name: usePeople().name(from, conversationId) })
}

function textOfChange({ what, from, conversationId }: TimelineEvent): string {
  if (what.kind !== 'change') return ''
  return what.change.kind === 'recalled' ? recalledText(from, conversationId) : what.fallback
}
