/**
 * What a group is at some seq: title, members and roles, as the events say.
 * The rules are those of docs/protocol.md, "A client that applies events to a state".
 */
import type { Change } from './wire/change'
import type { ConversationState } from './wire/protocol'

export type Role = 'member' | 'admin' | 'owner'

export interface GroupState {
  /** Every event up to this one is in it. */
  asOfSeq: number
  title: string
  history: 'joined' | 'all'
  /** Roles by user id. */
  members: Record<string, Role>
}

/** Nothing is known; some pages of members are here, up to `after`; or all is known. */
export type GroupKnowledge =
  | { kind: 'unknown' }
  | { kind: 'fetching'; state: GroupState; after: string }
  | { kind: 'known'; state: GroupState }

/** The group after a change. A change that is in the state already changes nothing. */
export function changed(state: GroupState, seq: number, from: string, change: Change): GroupState {
  if (seq <= state.asOfSeq) return state
  const next = { ...state, asOfSeq: seq }
  switch (change.kind) {
    case 'groupCreated':
      next.title = change.title
      next.history = change.history
      next.members = { ...roles(change.members), [from]: 'owner' }
      return next
    case 'membersAdded':
      next.members = { ...state.members, ...roles(change.members) }
      return next
    case 'membersRemoved':
      next.members = without(state.members, change.members)
      return next
    case 'memberLeft':
      next.members = without(state.members, [from])
      return next
    case 'roleChanged':
      next.members = { ...state.members }
      if (change.user in next.members) next.members[change.user] = change.role
      if (change.role === 'owner' && from in next.members) next.members[from] = 'admin'
      return next
    case 'titleChanged':
      next.title = change.title
      return next
    case 'groupDissolved':
      next.members = {}
      return next
    default:
      return next
  }
}

/** A group of which the first event is here. */
export function created(seq: number, from: string, change: Change): GroupState {
  return changed({ asOfSeq: 0, title: '', history: 'joined', members: {} }, seq, from, change)
}

/** What is known after another page of members. */
export function withPage(known: GroupKnowledge, page: ConversationState): GroupKnowledge {
  // Later events say what changed after the first page, so its seq and title stand.
  const before: GroupState =
    known.kind === 'fetching'
      ? known.state
      : {
          asOfSeq: page.asOfSeq,
          title: page.title ?? '',
          history: page.history ?? 'joined',
          members: {},
        }
  const members = { ...before.members }
  for (const { user, role } of page.members) members[user] = role
  const state = { ...before, members }
  const last = page.members.at(-1)
  return page.more && last !== undefined
    ? { kind: 'fetching', state, after: last.user }
    : { kind: 'known', state }
}

/** Whether the change brings the user in. */
export function joins(user: string, from: string, change: Change): boolean {
  if (change.kind === 'groupCreated') return from === user || change.members.includes(user)
  return change.kind === 'membersAdded' && change.members.includes(user)
}

/** Whether the change takes the user out. */
export function parts(user: string, from: string, change: Change): boolean {
  if (change.kind === 'membersRemoved') return change.members.includes(user)
  if (change.kind === 'memberLeft') return from === user
  return change.kind === 'groupDissolved'
}

/** Whether only groups have such events. */
export function isOfGroups(change: Change): boolean {
  return (
    change.kind === 'groupCreated' ||
    change.kind === 'membersAdded' ||
    change.kind === 'membersRemoved' ||
    change.kind === 'memberLeft' ||
    change.kind === 'roleChanged' ||
    change.kind === 'titleChanged' ||
    change.kind === 'groupDissolved'
  )
}

function roles(members: string[]): Record<string, Role> {
  return Object.fromEntries(members.map((user) => [user, 'member' as const]))
}

function without(members: Record<string, Role>, gone: string[]): Record<string, Role> {
  return Object.fromEntries(Object.entries(members).filter(([user]) => !gone.includes(user)))
}
