/** Moments in words, as short as the place needs them, in the language of who reads. */
import { i18n, languageTag } from '../i18n'

const DAY_MS = 86_400_000
const formats = new Map<string, Intl.DateTimeFormat>()

function format(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${languageTag()} ${name}`
  let known = formats.get(key)
  if (!known) formats.set(key, (known = new Intl.DateTimeFormat(languageTag(), options)))
  return known
}

/** The day of a moment, by the calendar of this device, as a number that grows by one each day. */
export function dayOf(ts: number): number {
  const date = new Date(ts)
  return Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY_MS)
}

export function clockTime(ts: number): string {
  return format('clock', { hour: '2-digit', minute: '2-digit', hour12: false }).format(ts)
}

/** For a list: the time today, then yesterday, the weekday, the date. */
export function listTime(ts: number, now = Date.now()): string {
  const days = dayOf(now) - dayOf(ts)
  if (days <= 0) return clockTime(ts)
  if (days === 1) return i18n.global.t('ui.yesterday')
  if (days < 7) return format('weekday', { weekday: 'short' }).format(ts)
  const sameYear = new Date(ts).getFullYear() === new Date(now).getFullYear()
  return sameYear ? format('day', { month: 'short', day: 'numeric' }).format(ts) : format('date', { year: 'numeric', month: 'numeric', day: 'numeric' }).format(ts)
}

/** For a line between days. */
export function dayTitle(ts: number, now = Date.now()): string {
  const days = dayOf(now) - dayOf(ts)
  if (days === 0) return i18n.global.t('ui.today')
  if (days === 1) return i18n.global.t('ui.yesterday')
  const sameYear = new Date(ts).getFullYear() === new Date(now).getFullYear()
  return sameYear ? format('longday', { weekday: 'long', month: 'long', day: 'numeric' }).format(ts) : format('longdate', { year: 'numeric', month: 'long', day: 'numeric' }).format(ts)
}

/** When somebody was last there. */
export function seenText(ts: number, now = Date.now()): string {
  const minutes = Math.floor((now - ts) / 60_000)
  const relative = new Intl.RelativeTimeFormat(languageTag(), { numeric: 'auto' })
  if (minutes < 1) return i18n.global.t('ui.justNow')
  if (minutes < 60) return relative.format(-minutes, 'minute')
  if (dayOf(now) === dayOf(ts)) return clockTime(ts)
  return dayOf(now) - dayOf(ts) < 7 ? `${dayTitle(ts, now)} ${clockTime(ts)}` : shortMoment(ts)
}

/** All of it. */
export function fullTime(ts: number): string {
  return format('full', { dateStyle: 'full', timeStyle: 'medium' }).format(ts)
}

/** Date and time, short. */
export function shortMoment(ts: number): string {
  return format('moment', { dateStyle: 'medium', timeStyle: 'short' }).format(ts)
}
