/**
 * The languages. Each has a folder of modules, one for each part of the client; a module's name is the first word of its
 * keys. A language is fetched when it is first needed.
 */
import { nextTick } from 'vue'
import { createI18n } from 'vue-i18n'

export const LOCALES = ['en', 'zh'] as const
export type Locale = (typeof LOCALES)[number]

export const LOCALE_NAMES: Record<Locale, string> = { en: 'English', zh: '简体中文' }
const TAGS: Record<Locale, string> = { en: 'en', zh: 'zh-CN' }

export const i18n = createI18n({ legacy: false, locale: 'en', fallbackLocale: 'en', missingWarn: false, fallbackWarn: false })

const LOADERS: Record<Locale, () => Promise<{ default: Record<string, object> }>> = {
  en: () => import('../locales/en'),
  zh: () => import('../locales/zh'),
}

/** The first language of this browser that there is. */
export function preferredLocale(): Locale {
  for (const tag of navigator.languages) {
    const known = LOCALES.find((locale) => tag.toLowerCase().startsWith(locale))
    if (known) return known
  }
  return 'en'
}

export async function loadLocale(locale: Locale): Promise<void> {
  const { global } = i18n
  if (!(global.availableLocales as string[]).includes(locale) || Object.keys(global.getLocaleMessage(locale)).length === 0) {
    global.setLocaleMessage(locale, (await LOADERS[locale]()).default)
  }
  global.locale.value = locale
  document.documentElement.lang = TAGS[locale]
  await nextTick()
}

/** The current language as `Intl` calls it. */
export function languageTag(): string {
  return TAGS[i18n.global.locale.value as Locale] ?? 'en'
}

/** What a refusal means, in the language of who reads it; the server's own words if there are none. */
export function wordsOf(error: unknown): string {
  const { t, te } = i18n.global
  if (typeof error === 'object' && error !== null && 'reason' in error) {
    const { reason, message, retryAfterMs } = error as { reason: string; message: string; retryAfterMs?: number }
    const seconds = Math.ceil((retryAfterMs ?? 0) / 1_000)
    if (reason === 'too_many_requests' && seconds > 0) return t('errors.wait_seconds', { seconds }, seconds)
    return te(`errors.${reason}`, 'en') ? t(`errors.${reason}`) : message
  }
  return t('errors.internal')
}
