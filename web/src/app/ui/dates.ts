/** Points in time as this language writes them. */
import { languageTag } from '../i18n'

export function dateText(ts: number): string {
  return new Intl.DateTimeFormat(languageTag(), { year: 'numeric', month: 'long', day: 'numeric' }).format(ts)
}

export function dateTimeText(ts: number): string {
  return new Intl.DateTimeFormat(languageTag(), { dateStyle: 'medium', timeStyle: 'short' }).format(ts)
}

/** How long ago, in the largest unit that fits. */
export function agoText(ts: number, now: number): string {
  const seconds = Math.min(0, (ts - now) / 1_000)
  const units = [['day', 86_400], ['hour', 3_600], ['minute', 60]] as const
  const format = new Intl.RelativeTimeFormat(languageTag(), { numeric: 'auto' })
  for (const [unit, length] of units) if (seconds <= -length) return format.format(Math.round(seconds / length), unit)
  return format.format(0, 'second')
}
