/** A message in one line, whatever its kind. Of a call it is said otherwise to who called. */
import type { Content } from '../../engine'
import { i18n } from '../i18n'
import { callLine } from './call-text'

export function lineOf(message: Content & { body?: string; fallback?: string }, isOwn = false): string {
  const { t } = i18n.global
  const { body = '', msgType, attachment, location, custom, call, fallback } = message
  const words = body.replace(/\s+/g, ' ').trim()
  switch (msgType) {
    case 'IMAGE':
    case 'VIDEO':
    case 'AUDIO':
      return words === '' ? t(`kinds.${msgType}`) : `${t(`kinds.${msgType}`)} ${words}`
    case 'FILE':
      return [t('kinds.FILE'), attachment?.name, words].filter(Boolean).join(' ')
    case 'LOCATION':
      return [t('kinds.LOCATION'), location?.name ?? words].filter(Boolean).join(' ')
    case 'CALL':
      return call ? callLine(call, isOwn) : words
    case 'CUSTOM':
      return words === '' ? `${t('kinds.CUSTOM')} ${custom?.type ?? ''}`.trim() : words
    default:
      return words === '' ? (fallback ?? '') : words
  }
}
