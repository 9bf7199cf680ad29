/** What the end of a connection means: come back, get another token, or stop. */
import { decodeCloseReason } from './wire/codec'

/** Why the engine does not come back by itself although the user is logged in. */
export type Halt = 'replaced' | 'banned' | 'refused'

export type Ending =
  /** Wait, then come back. */
  | { kind: 'retry'; retryAfterMs: number; reason: string }
  /** The token was not accepted: another one may be. */
  | { kind: 'renew' }
  /** The log-in is over. */
  | { kind: 'signedOut'; reason: string }
  /** Something has to change first; the user may ask to connect again. */
  | { kind: 'halt'; reason: Halt }

/** What it means that the server refuses or ends a session for this reason, if the log-in is over by that. */
export function signedOutBy(reason: string | undefined): Ending | undefined {
  if (reason === 'revoked' || reason === 'login_revoked') return { kind: 'signedOut', reason: 'revoked' }
  // Whoever is let in again has to log in anew.
  if (reason === 'account_disabled') return { kind: 'signedOut', reason }
  return undefined
}

/** Reads a close code and its text. Codes that are not known go by their range. */
export function endingOf(code: number, text: string): Ending {
  const reason = decodeCloseReason(text)
  switch (code) {
    case 4401:
      return { kind: 'renew' }
    case 4403:
      return signedOutBy(reason?.reason) ?? { kind: 'signedOut', reason: 'revoked' }
    case 4409:
      return { kind: 'halt', reason: 'replaced' }
    case 4429:
      return { kind: 'halt', reason: 'banned' }
  }
  if (code >= 4400 && code < 4500) return { kind: 'halt', reason: 'refused' }
  return {
    kind: 'retry',
    retryAfterMs: reason?.retryAfterMs ?? 0,
    reason: reason?.reason ?? 'lost',
  }
}
