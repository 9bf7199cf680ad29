/** How the numbers of plots are written. */
import { languageTag } from '../../i18n'

export type Unit = 'count' | 'perSecond' | 'ms' | 'bytes' | 'bytesPerSecond' | 'cores'

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

const number = (value: number, digits: number) => new Intl.NumberFormat(languageTag(), { maximumFractionDigits: digits }).format(value)
/** Three figures or so, whatever the size. */
const short = (value: number) => (Math.abs(value) >= 10_000 ? new Intl.NumberFormat(languageTag(), { notation: 'compact', maximumFractionDigits: 1 }).format(value) : number(value, value < 10 ? 2 : value < 100 ? 1 : 0))

export function bytesText(bytes: number): string {
  const power = Math.min(BYTES.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${number(value, value < 10 ? 1 : 0)} ${BYTES[power]}`
}

export function countText(count: number): string {
  return number(count, 0)
}

export function valueText(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return '–'
  switch (unit) {
    case 'bytes': return bytesText(value)
    case 'bytesPerSecond': return `${bytesText(value)}/s`
    case 'ms': return value >= 1_000 ? `${short(value / 1_000)} s` : `${short(value)} ms`
    case 'perSecond': return `${short(value)}/s`
    default: return short(value)
  }
}
