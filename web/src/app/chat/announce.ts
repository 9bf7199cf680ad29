import { i18n } from '../i18n'
import { usePeople } from '../stores/people'
import { useSession } from '../stores/session'
import type { MessageRow } from './rows'
import { clockTime } from './times'

/** A message as it is read out. Who has written it oneself knows it. */
export function announcementOf({ from, ts, text }: MessageRow, conversationId: string): string {
  if (from === useSession().userId) return ''
  return i18n.global.t('chat.message', { name: usePeople().name(from, conversationId), time: clockTime(ts), text })
}
