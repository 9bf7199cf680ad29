/** Who waits to be let into a group at some seq, as the owner and the admins are told. */
import type { Knowledge } from './knowledge'
import type { Change } from './wire/change'
import type { GroupRequestState } from './wire/protocol'

export interface JoinRequest {
  message?: string
  ts: number
  /** An event said that somebody asks; what the user says is still to be asked for. */
  untold?: true
}

export interface RequestsState {
  /** Every event up to this one is in it. */
  asOfSeq: number
  /** Requests by user id. */
  waiting: Record<string, JoinRequest>
}

export type RequestsKnowledge = Knowledge<RequestsState>

/** The requests after a change. A change that is in the state already changes nothing. */
export function requestsAfter(
  state: RequestsState,
  { seq, from, ts }: { seq: number; from: string; ts: number },
  change: Change,
): RequestsState {
  if (seq <= state.asOfSeq) return state
  const next = { ...state, asOfSeq: seq }
  switch (change.kind) {
    case 'joinRequested':
      next.waiting = { ...state.waiting, [from]: { ts, untold: true } }
      return next
    case 'joinRefused':
      next.waiting = without(state.waiting, [change.user])
      return next
    case 'membersAdded':
      next.waiting = without(state.waiting, change.members)
      return next
    case 'groupDissolved':
      next.waiting = {}
      return next
    default:
      return next
  }
}

/** What is known after another page. A page that follows on nothing unfinished begins anew. */
export function withRequests(known: RequestsKnowledge, page: GroupRequestState): RequestsKnowledge {
  const before: RequestsState =
    known.kind === 'fetching' ? known.state : { asOfSeq: page.asOfSeq, waiting: {} }
  const waiting = { ...before.waiting }
  for (const { user, ...request } of page.requests) waiting[user] = request
  const state = { ...before, waiting }
  const last = page.requests.at(-1)
  return page.more && last !== undefined
    ? { kind: 'fetching', state, after: last.user }
    : { kind: 'known', state }
}

/** Whether somebody waits of whom only an event has told. */
export function hasUntold({ waiting }: RequestsState): boolean {
  return Object.values(waiting).some(({ untold }) => untold === true)
}

function without(waiting: Record<string, JoinRequest>, gone: string[]): Record<string, JoinRequest> {
  if (!gone.some((user) => user in waiting)) return waiting
  return Object.fromEntries(Object.entries(waiting).filter(([user]) => !gone.includes(user)))
}
