/** What may be done with a message, by whom and how long. */
import { CircleCheckBig, Copy, Forward, Pencil, Reply, RotateCw, Trash2, Undo2 } from '@lucide/vue'
import { useI18n } from 'vue-i18n'
import type { OutboxEntry } from '../../engine'
import { useMessenger } from '../stores/messenger'
import { useQuestions } from '../stores/questions'
import { useSession } from '../stores/session'
import { useToasts } from '../stores/toasts'
import type { MenuItem } from '../ui/menu'
import { useComposing } from './composing'
import { useForwarding } from './forwarding'
import { lineOf } from './message-text'
import type { MessageRow } from './rows'
import { useSelection } from './selection'

/** Where the server has not said it yet, in milliseconds. */
const RECALL_MS = 2 * 60_000
const EDIT_MS = 48 * 3_600_000

export function useMessageActions() {
  const { t } = useI18n()
  const messenger = useMessenger()
  const me = useSession().userId
  const toasts = useToasts()
  const questions = useQuestions()
  const selection = useSelection()
  const composing = useComposing()
  const forwarding = useForwarding()

  function mayEdit({ from, ts, seq, content }: Pick<MessageRow, 'from' | 'ts' | 'seq' | 'content'>, conversationId: string): boolean {
    const isMember = messenger.conversations.get(conversationId)?.present === true
    return isMember && seq !== undefined && from === me && content.forwardedFrom === undefined && Date.now() - ts < (messenger.limits?.editWindowMs ?? EDIT_MS)
  }

  function mayRecall({ from, ts, seq }: Pick<MessageRow, 'from' | 'ts' | 'seq'>, conversationId: string): boolean {
    const conversation = messenger.conversations.get(conversationId)
    if (seq === undefined || !conversation?.present) return false
    const role = conversation.group?.members[me]?.role
    if (role === 'owner' || role === 'admin') return true
    return from === me && Date.now() - ts < (messenger.limits?.recallWindowMs ?? RECALL_MS)
  }

  async function copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text)
      toasts.show(t('ui.copied'), { tone: 'success' })
    } catch (error) {
      toasts.fail(error)
    }
  }

  async function recall(conversationId: string, seqs: number[]): Promise<void> {
    const title = seqs.length === 1 ? t('chat.recallTitle') : t('chat.recallMany', seqs.length)
    if (!(await questions.ask({ title, text: t('chat.recallText'), confirm: t('chat.recall'), danger: true }))) return
    for (const msgSeq of seqs) messenger.send({ type: 'MESSAGE_REVOKE', conversationId, msgSeq })
  }

  function itemsOf(row: MessageRow, conversationId: string, change: OutboxEntry | undefined): MenuItem[] {
    const refused = [row.entry, change].find((entry) => entry?.state === 'refused')
    const items: MenuItem[] = []
    if (refused) {
      items.push({ key: 'resend', label: t('chat.resend'), icon: RotateCw, onSelect: () => messenger.sendAnew(refused.clientMsgId) })
      items.push({ key: 'discard', label: t('chat.discard'), icon: Trash2, danger: true, onSelect: () => messenger.discard(refused.clientMsgId) })
    }
    const { seq, from } = row
    const isMember = messenger.conversations.get(conversationId)?.present === true
    if (seq !== undefined && isMember) items.push({ key: 'reply', label: t('chat.reply'), icon: Reply, onSelect: () => composing.reply({ conversationId, seq, from }) })
    items.push({ key: 'copy', label: t('chat.copy'), icon: Copy, onSelect: () => void copy(row.text === '' ? lineOf(row.content) : row.text) })
    if (seq === undefined) return items
    items.push({ key: 'forward', label: t('chat.forward'), icon: Forward, onSelect: () => forwarding.begin(conversationId, [seq]) })
    if (mayEdit(row, conversationId)) items.push({ key: 'edit', label: t('chat.edit'), icon: Pencil, onSelect: () => composing.edit({ conversationId, seq, text: row.text }) })
    items.push({ key: 'select', label: t('chat.select'), icon: CircleCheckBig, onSelect: () => selection.begin(seq) })
    if (mayRecall(row, conversationId)) items.push({ key: 'recall', label: t('chat.recall'), icon: Undo2, danger: true, separated: true, onSelect: () => void recall(conversationId, [seq]) })
    return items
  }

  return { itemsOf, mayEdit, mayRecall, copy, recall }
}
