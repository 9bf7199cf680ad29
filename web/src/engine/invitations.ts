/**
 * Into which groups the user is invited, at some seq of the personal timeline. That an invitation
 * is over is told by nobody: whoever shows it compares `expiresTs` with the time.
 */
import type { Knowledge } from './knowledge'
import type { Change } from './wire/change'
import type { GroupInvitationState, Invitation } from './wire/protocol'

export interface InvitationsState {
  /** Every event up to this one is in it. */
  asOfSeq: number
  /** By the group's id. */
  waiting: Record<string, Invitation>
}

/** The pages are of invitations, and `after` is the group of the last of them. */
export type InvitationsKnowledge = Knowledge<InvitationsState>

export const NO_INVITATIONS: InvitationsState = { asOfSeq: 0, waiting: {} }

/** The invitations after a change. A change that is in the state already changes nothing. */
export function invitationsAfter(
  state: InvitationsState,
  { seq, from, ts }: { seq: number; from: string; ts: number },
  change: Change,
): InvitationsState {
  if (seq <= state.asOfSeq) return state
  switch (change.kind) {
    case 'groupInvited': {
      const { conversationId: groupId, title, expiresTs } = change
      return { asOfSeq: seq, waiting: { ...state.waiting, [groupId]: { groupId, title, by: from, ts, expiresTs } } }
    }
    case 'groupInvitationEnded':
    case 'conversationAdded':
      return { asOfSeq: seq, waiting: without(state.waiting, change.conversationId) }
    default:
      return { ...state, asOfSeq: seq }
  }
}

/** What is known after another page. A page that follows on nothing unfinished begins anew. */
export function withInvitations(known: InvitationsKnowledge, page: GroupInvitationState): InvitationsKnowledge {
  // Later events say what changed after the first page, so its seq stands.
  const before: InvitationsState = known.kind === 'fetching' ? known.state : { asOfSeq: page.asOfSeq, waiting: {} }
  const waiting = { ...before.waiting }
  for (const invitation of page.invitations) waiting[invitation.groupId] = invitation
  const state = { ...before, waiting }
  const last = page.invitations.at(-1)
  return page.more && last !== undefined ? { kind: 'fetching', state, after: last.groupId } : { kind: 'known', state }
}

function without(waiting: InvitationsState['waiting'], gone: string): InvitationsState['waiting'] {
  return Object.fromEntries(Object.entries(waiting).filter(([groupId]) => groupId !== gone))
}
