/**
 * What a group is at some seq: title, settings and members, as the events say.
 * The rules are those of docs/protocol.md, "A client that applies events to a state".
 */
import type { Knowledge } from './knowledge'
import type { Change } from './wire/change'
import type { ConversationState, GroupInfo } from './wire/protocol'

export type Role = 'member' | 'admin' | 'owner'

export interface Member {
  role: Role
  /** What the member is called here. */
  nickname?: string
  /** Until when the member may not speak, by the server's clock; it may be over. */
  mutedUntilTs?: number
}

export interface GroupState {
  /** Every event up to this one is in it. */
  asOfSeq: number
  title: string
  history: 'joined' | 'all'
  /** What it is beside that. */
  info: GroupInfo
  /** By user id. */
  members: Record<string, Member>
}

/** The pages are of members, and `after` is the last of them. */
export type GroupKnowledge = Knowledge<GroupState>

/** The group after a change. A change that is in the state already changes nothing. */
export function changed(state: GroupState, seq: number, from: string, change: Change): GroupState {
  if (seq <= state.asOfSeq) return state
  const next = { ...state, asOfSeq: seq }
  switch (change.kind) {
    case 'groupCreated':
      next.title = change.title
      next.history = change.history
      next.members = { ...joined(change.members), [from]: { role: 'owner' } }
      return next
    case 'membersAdded':
      next.members = { ...state.members, ...joined(change.members) }
      return next
    case 'membersRemoved':
      next.members = without(state.members, change.members)
      return next
    case 'memberLeft':
      next.members = without(state.members, [from])
      return next
    case 'roleChanged':
      next.members = { ...state.members }
      setRole(next.members, change.user, change.role)
      if (change.role === 'owner') setRole(next.members, from, 'admin')
      return next
    case 'titleChanged':
      next.title = change.title
      return next
    case 'groupChanged':
      next.info = change.group
      return next
    case 'memberChanged': {
      const { user, nickname, mutedUntilTs } = change
      const member = state.members[user]
      if (!member) return next
      const named = nickname === undefined ? {} : { nickname }
      const muted = mutedUntilTs === undefined ? {} : { mutedUntilTs }
      next.members = { ...state.members, [user]: { role: member.role, ...named, ...muted } }
      return next
    }
    case 'groupDissolved':
      next.members = {}
      return next
    default:
      return next
  }
}

/** What a group is at first. */
const CLOSED: GroupInfo = { joining: 'closed' }

/** A group of which the first event is here. */
export function created(seq: number, from: string, change: Change): GroupState {
  return changed({ asOfSeq: 0, title: '', history: 'joined', info: CLOSED, members: {} }, seq, from, change)
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
          info: page.group ?? CLOSED,
          members: {},
        }
  const members = { ...before.members }
  for (const { user, ...member } of page.members) members[user] = member
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
    change.kind === 'groupChanged' ||
    change.kind === 'memberChanged' ||
    change.kind === 'joinRequested' ||
    change.kind === 'joinRefused' ||
    change.kind === 'membersInvited' ||
    change.kind === 'invitationRefused' ||
    change.kind === 'invitationWithdrawn' ||
    change.kind === 'groupDissolved'
  )
}

/** Who joins has no name of one's own, and may speak. */
function joined(members: string[]): Record<string, Member> {
  return Object.fromEntries(members.map((user) => [user, { role: 'member' as const }]))
}

function setRole(members: Record<string, Member>, user: string, role: Role): void {
  const member = members[user]
  if (member) members[user] = { ...member, role }
}

function without(members: Record<string, Member>, gone: string[]): Record<string, Member> {
  return Object.fromEntries(Object.entries(members).filter(([user]) => !gone.includes(user)))
}
