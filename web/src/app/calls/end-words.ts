/** Why a call is over, in the words of who is told. */
import type { CallEnd, CallView } from '../../engine'
import { i18n, wordsOf } from '../i18n'
import type { MediaProblem } from './media'

/** Ends that nobody has to be told more about: somebody wanted it so. */
const WANTED = new Set(['hungUp', 'cancelled', 'answeredElsewhere'])

export function endWords({ end, direction, connectedAt }: { end?: CallEnd; direction: CallView['direction']; connectedAt?: number }): string {
  if (!end) return ''
  const { t, te } = i18n.global
  const { reason } = end
  if (WANTED.has(reason) && connectedAt !== undefined) return t('calls.end_hungUp')
  const directed = `calls.end_${reason}_${direction}`
  if (te(directed, 'en')) return t(directed)
  if (te(`calls.end_${reason}`, 'en')) return t(`calls.end_${reason}`)
  return wordsOf({ message: t('calls.end_other'), ...end })
}

export function problemWords({ reason }: MediaProblem): string {
  return i18n.global.t(`calls.end_${reason}`)
}

/** How long the end is shown before it goes by itself, in milliseconds; for ever if it asks the user for something. */
export function shownMs({ reason }: CallEnd): number | undefined {
  if (WANTED.has(reason)) return 1_800
  return ['rejected', 'noAnswer', 'busy', 'disconnected', 'serverStopped'].includes(reason) ? 8_000 : undefined
}
