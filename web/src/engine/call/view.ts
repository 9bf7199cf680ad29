/** A call as all tabs of a browser see it. Plain data, so that it can go from tab to tab. */
import type { CallRing } from '../wire/protocol'

export type CallMedia = CallRing['media']

/** Why a call is over, and what the server said beside it. */
export interface CallEnd {
  /**
   * A reason of `CALL_STATE` or of a refusal, or one of the client's own: `lost` (the session
   * with the server ended), `offline` (there was none), `mediaFailed` (no way between the two
   * devices, or no longer).
   */
  reason: string
  message?: string
  retryAfterMs?: number
}

export interface CallView {
  callId: string
  peer: string
  direction: 'incoming' | 'outgoing'
  media: CallMedia
  /** The first name of the call that goes on with this one, as the caller says. */
  resumes?: string
  /** `dialling` until the server has heard of it, `answering` until it has heard of the answer. */
  phase: 'dialling' | 'ringing' | 'answering' | 'answered' | 'over'
  /** The tab that has it: it called, or somebody has taken the call there. */
  tab?: string
  /** The session description of the other side, once it has come. */
  sdp?: string
  /** What the other side has sent of ways to reach it, in order. */
  candidates: string[]
  /** When it began to be a talk, by this device's clock. */
  answeredAt?: number
  end?: CallEnd
}

/** What a tab asks for. */
export type CallRequest =
  | { kind: 'offer'; callId: string; tab: string; to: string; media: CallMedia; sdp: string; resumes?: string }
  /** The user wants to answer in this tab: the others stop ringing. */
  | { kind: 'take'; callId: string; tab: string }
  /** It can't be answered in this tab after all: it rings in all of them again. */
  | { kind: 'leave'; callId: string; tab: string }
  | { kind: 'answer'; callId: string; tab: string; sdp: string }
  | { kind: 'candidate'; callId: string; candidate: string }
  | { kind: 'hangUp'; callId: string }
  | { kind: 'reject'; callId: string }

export function isLive(call: CallView | undefined): call is CallView {
  return call !== undefined && call.phase !== 'over'
}
