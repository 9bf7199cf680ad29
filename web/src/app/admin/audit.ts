/** What the audit log tells of, and how a filter of it is read. */
import type { RecordsWanted } from './admin-api'

export const AUDIT_ACTIONS = [
  'userCreated', 'userDisabled', 'userEnabled', 'userLoggedOut', 'passwordReset', 'passwordRedeemed', 'userProfileCleared', 'userChangeFailed', 'adminMade', 'adminUnmade', 'adminLoggedIn', 'adminLoginFailed',
  'inviteMade', 'groupDissolved', 'groupMemberRemoved', 'groupHandedOver', 'groupProfileCleared', 'groupChangeFailed', 'noticeSent', 'noticeWithdrawn', 'wordsChanged', 'wordFlagged', 'limitsChanged',
] as const

/** What stands in the fields. */
export interface AuditFilter {
  action: string
  actor: string
  user: string
  group: string
  /** Days of this browser's calendar, as YYYY-MM-DD; both are meant whole. */
  from: string
  to: string
}

export const NO_FILTER: AuditFilter = { action: '', actor: '', user: '', group: '', from: '', to: '' }

/** Which fields can't be read. Ids are digits; the log is asked for a user or for a group, not for both. */
export function faultsOf({ actor, user, group, from, to }: AuditFilter): Partial<Record<keyof AuditFilter, 'notAnId' | 'notBoth' | 'beforeFrom'>> {
  const isId = (text: string) => text.trim() === '' || /^\d{1,19}$/.test(text.trim())
  return {
    ...(isId(actor) ? {} : { actor: 'notAnId' as const }),
    ...(isId(user) ? {} : { user: 'notAnId' as const }),
    ...(!isId(group) ? { group: 'notAnId' as const } : group.trim() !== '' && user.trim() !== '' ? { group: 'notBoth' as const } : {}),
    ...(from !== '' && to !== '' && to < from ? { to: 'beforeFrom' as const } : {}),
  }
}

/** What to ask the server for. */
export function wantedOf({ action, actor, user, group, from, to }: AuditFilter): RecordsWanted {
  const given = (text: string) => text.trim() || undefined
  return { action: given(action), actor: given(actor), user: given(user), group: given(group), fromTs: dayTs(from, 0), untilTs: dayTs(to, 1) }
}

/** When a day begins here, or one so many days later: not all days have 24 hours. */
function dayTs(day: string, later: number): number | undefined {
  const [year, month, date] = day.split('-').map(Number)
  if (!year || !month || !date) return undefined
  return new Date(year, month - 1, date + later).getTime()
}
