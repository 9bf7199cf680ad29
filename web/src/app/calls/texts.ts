/** The texts of calls. They come with what shows calls. */
import { watch } from 'vue'
import { i18n, type Locale } from '../i18n'
import en from './locales/en'
import zh from './locales/zh'

const TEXTS: Record<Locale, object> = { en, zh }
let isFollowing = false

/** Adds them to the language of now, and to each that is chosen later: it has its other texts by then. */
export function useCallTexts(): void {
  if (isFollowing) return
  isFollowing = true
  const { global } = i18n
  watch(global.locale, (locale) => global.mergeLocaleMessage(locale, { calls: TEXTS[locale as Locale] }), { immediate: true, flush: 'sync' })
}
