/** How this device shows things: theme and language. */
import { usePreferredDark } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, watchEffect } from 'vue'
import { loadLocale, preferredLocale, type Locale } from '../i18n'
import { keptRef } from '../platform/keep'

export type Theme = 'system' | 'light' | 'dark'

export const usePreferences = defineStore('preferences', () => {
  const theme = keptRef<Theme>('petrel.theme', 'system')
  const language = keptRef<Locale | 'system'>('petrel.language', 'system')
  /** Whether Enter sends, rather than Ctrl+Enter. */
  const enterSends = keptRef('petrel.enterSends', true)
  const prefersDark = usePreferredDark()
  const isDark = computed(() => (theme.value === 'system' ? prefersDark.value : theme.value === 'dark'))
  const locale = computed<Locale>(() => (language.value === 'system' ? preferredLocale() : language.value))

  watchEffect(() => {
    document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light'
    document.querySelector('meta[name=theme-color]')?.setAttribute('content', isDark.value ? '#111b20' : '#ffffff')
  })
  watchEffect(() => void loadLocale(locale.value))

  return { theme, language, enterSends, isDark, locale }
})
