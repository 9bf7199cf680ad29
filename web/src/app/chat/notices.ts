/** Changes of a conversation, as a sentence. */
import { SYSTEM } from '../../engine/event'
import type { Change } from '../../engine/wire/change'
import { i18n } from '../i18n'
import { usePeople } from '../stores/people'
import { useSession } from '../stores/session'

/** Whether a change stands in the chat as a line of its own; others show in what they change. */
export function isNotice(change: Change): boolean {
  if (change.kind === 'pinned') return change.removed !== true
  return noticeKinds.has(change.kind)
}

const noticeKinds = new Set<Change['kind']>([
  'groupCreated', 'membersAdded', 'membersRemoved', 'memberLeft', 'roleChanged', 'titleChanged', 'groupChanged',
  'memberChanged', 'joinRequested', 'joinRefused', 'membersInvited', 'invitationRefused', 'invitationWithdrawn', 'groupDissolved', 'unknown',
])

const LISTED_MAX = 5


/** Some users by their names, and of many how many more they are. */
export function namesText(users: string[], nameOf: (user: string) => string): string {
  const { t } = i18n.global
  const listed = users.slice(0, LISTED_MAX).map(nameOf).join(t('notices.comma'))
  return users.length > LISTED_MAX ? t('notices.andMore', { names: listed, n: users.length - LISTED_MAX }) : listed
}

export function noticeText(change: Change, from: string, conversationId: string, fallback: string): string {
  const { t } = i18n.global
  const people = usePeople()
  const me = useSession().userId
  const nameOf = (user: string) => {
    if (user === SYSTEM) return t('notices.system')
    return user === me ? t('notices.you') : people.name(user, conversationId)
  }
  const who = nameOf(from)
  const list = (users: string[]) => namesText(users, nameOf)
  switch (change.kind) {
    case 'groupCreated':
      return t('notices.groupCreated', { who, title: change.title })
    case 'membersAdded':
      return change.members.length === 1 && change.members[0] === from ? t('notices.joined', { who }) : t('notices.membersAdded', { who, names: list(change.members) })
    case 'membersRemoved':
      return t('notices.membersRemoved', { who, names: list(change.members) })
    case 'memberLeft':
      return t('notices.memberLeft', { who })
    case 'roleChanged':
      return t(`notices.role_${change.role}`, { who, name: nameOf(change.user) })
    case 'titleChanged':
      return t('notices.titleChanged', { who, title: change.title })
    case 'groupChanged':
      return t('notices.groupChanged', { who })
    case 'memberChanged':
      if (change.mutedUntilTs !== undefined) return t('notices.memberMuted', { who, name: nameOf(change.user) })
      return change.nickname ? t('notices.nickname', { name: nameOf(change.user), nickname: change.nickname }) : t('notices.memberChanged', { name: nameOf(change.user) })
    case 'joinRequested':
      return t('notices.joinRequested', { who })
    case 'joinRefused':
      return t('notices.joinRefused', { who, name: nameOf(change.user) })
    case 'membersInvited':
      return t('notices.membersInvited', { who, names: list(change.members) })
    case 'invitationRefused':
      return t('notices.invitationRefused', { who })
    case 'invitationWithdrawn':
      return t('notices.invitationWithdrawn', { who, name: nameOf(change.user) })
    case 'pinned':
      return t('notices.pinned', { who })
    case 'groupDissolved':
      return t('notices.groupDissolved', { who })
    default:
      return fallback
  }
}
