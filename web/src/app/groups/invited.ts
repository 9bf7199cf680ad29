/** Tells the user who of those that were to be members was invited instead, because they want to be asked first. */
import { until } from '@vueuse/core'
import { namesText } from '../chat/notices'
import { i18n } from '../i18n'
import { useMessenger } from '../stores/messenger'
import { usePeople } from '../stores/people'
import { useToasts } from '../stores/toasts'

/** How long the event is waited for that says who came in, in milliseconds. */
const PATIENCE_MS = 10_000

/** Who of these is no member at the event `seq`; nothing if that event is not seen in time. */
async function invitedOf(groupId: string, seq: number, chosen: string[]): Promise<string[] | undefined> {
  const messenger = useMessenger()
  const known = () => messenger.conversations.get(groupId)?.group
  await until(() => (known()?.asOfSeq ?? 0) >= seq).toBe(true, { timeout: PATIENCE_MS })
  const group = known()
  return group && group.asOfSeq >= seq ? chosen.filter((user) => !(user in group.members)) : undefined
}

/** Says how it went: the command that brought these in is the event `seq`. `added` is said if anybody came in at once. */
export async function tellWhoIsInvited(groupId: string, seq: number, chosen: string[], added?: string): Promise<void> {
  const { t } = i18n.global
  const [people, toasts] = [usePeople(), useToasts()]
  const invited = await invitedOf(groupId, seq, chosen)
  if (added !== undefined && invited?.length !== chosen.length) toasts.show(added, { tone: 'success' })
  if (!invited || invited.length === 0) return
  toasts.show(t('groups.invited', { names: namesText(invited, (user) => people.nameNow(user, groupId)) }, invited.length))
}
