/**
 * The pinned messages of a conversation at some seq, as the events say. The rules are those
 * of docs/protocol.md, "Pinned messages".
 */
import type { Change } from './wire/change'
import type { ConversationState } from './wire/protocol'

export interface PinsState {
  /** Every event up to this one is in it. */
  asOfSeq: number
  /** The places of the messages, the last one that was pinned at the end. */
  seqs: number[]
}

/** Nothing has happened yet. */
export const NO_PINS: PinsState = { asOfSeq: 0, seqs: [] }

/** What an answer says of them. Later pages of members say it of a later seq, and are not to be used. */
export function pinsOf({ asOfSeq, pins = [] }: ConversationState): PinsState {
  return { asOfSeq, seqs: pins }
}

/** The pins after a change. A change that is in the state already changes nothing. */
export function pinsAfter(state: PinsState, seq: number, change: Change): PinsState {
  if (seq <= state.asOfSeq) return state
  if (change.kind !== 'pinned' && change.kind !== 'recalled') return { ...state, asOfSeq: seq }
  const seqs = state.seqs.filter((other) => other !== change.targetSeq)
  if (change.kind === 'pinned' && change.removed !== true) seqs.push(change.targetSeq)
  return { asOfSeq: seq, seqs }
}
