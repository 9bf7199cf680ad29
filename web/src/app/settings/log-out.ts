/** Logging out on this device, after asking. */
import { useI18n } from 'vue-i18n'
import { useMessenger } from '../stores/messenger'
import { useQuestions } from '../stores/questions'
import { useSession } from '../stores/session'
import { useToasts } from '../stores/toasts'

export function useLogOut(): () => Promise<void> {
  const { t } = useI18n()
  const messenger = useMessenger()
  const questions = useQuestions()
  const session = useSession()
  const toasts = useToasts()
  return async () => {
    const question = { title: t('settings.logOutTitle'), text: t('settings.logOutText'), confirm: t('settings.logOut'), danger: true }
    if (!(await questions.ask(question))) return
    await messenger.stop(true)
    await session.leave().catch((error: unknown) => toasts.fail(error))
  }
}
