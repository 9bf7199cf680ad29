/** The record of a call, in words. */
import type { Content } from '../../engine'
import { i18n } from '../i18n'

export type CallRecord = NonNullable<Content['call']>

/** Whether it passed its reader by. */
export function isMissed({ outcome }: CallRecord, isOwn: boolean): boolean {
  return !isOwn && (outcome === 'missed' || outcome === 'cancelled' || outcome === 'busy')
}

export function callTitle(call: CallRecord, isOwn: boolean): string {
  const { t } = i18n.global
  return isMissed(call, isOwn) ? t(`call.missed_${call.media}`) : t(`call.${call.media}`)
}

/** How it ended, or how long it lasted; nothing where the title says all. */
export function callDetail(call: CallRecord, isOwn: boolean): string {
  const { t } = i18n.global
  if (call.outcome === 'answered') return callLength(call.durationMs ?? 0)
  if (isMissed(call, isOwn)) return ''
  return isOwn ? t(`call.own_${call.outcome}`) : t('call.declinedByYou')
}

export function callLine(call: CallRecord, isOwn: boolean): string {
  return [callTitle(call, isOwn), callDetail(call, isOwn)].filter(Boolean).join(' · ')
}

/** Hours, minutes and seconds, without the hours that there are not. */
export function callLength(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, '0'))
  const hours = Math.floor(seconds / 3_600)
  return hours > 0 ? `${hours}:${parts.join(':')}` : parts.join(':').replace(/^0/, '')
}
