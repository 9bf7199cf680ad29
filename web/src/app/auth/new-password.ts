/** A name and a password that somebody thinks of, and what is wrong with them, in words. */
import { computed, ref } from 'vue'
import { useI18n } from 'vue-i18n'

export const isUsername = (name: string): boolean => /^[\w.-]{3,32}$/.test(name)
export const isPassword = (password: string): boolean => [...password].length >= 8

/** The password is typed twice. Nothing is said to be wrong before somebody has tried. Who is known already gives no name. */
export function useNewPassword({ isNamed } = { isNamed: true }) {
  const { t } = useI18n()
  const username = ref('')
  const password = ref('')
  const repeated = ref('')
  const wasTried = ref(false)

  const wrong = computed(() => ({
    username: !isNamed || isUsername(username.value) ? undefined : t('auth.wrongUsername'),
    password: isPassword(password.value) ? undefined : t('auth.wrongPassword'),
    repeated: repeated.value === password.value ? undefined : t('auth.wrongRepeat'),
  }))
  const shown = computed(() => (wasTried.value ? wrong.value : { username: undefined, password: undefined, repeated: undefined }))

  /** Whether everything is as it should be; from now on it is said what is not. */
  function check(): boolean {
    wasTried.value = true
    return Object.values(wrong.value).every((words) => words === undefined)
  }

  function clear(): void {
    username.value = password.value = repeated.value = ''
    wasTried.value = false
  }

  return { username, password, repeated, shown, check, clear }
}
