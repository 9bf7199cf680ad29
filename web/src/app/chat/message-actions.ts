/** What may be done with a message, by whom and how long. */
import { CheckCheck, CircleCheckBig, Copy, Forward, Pencil, Pin, PinOff, Reply, RotateCw, Trash2, Undo2 } from '@lucide/vue'
import { useI18n } from 'vue-i18n'
import type { OutboxEntry } from '../../engine'
import { useMessenger } from '../stores/messenger'
import { useQuestions } from '../stores/questions'
import { useSession } from '../stores/session'
import { useToasts } from '../stores/toasts'
import type { MenuItem } from '../ui/menu'
import { useComposing } from './composing'
import { useForwarding } from './forwarding'
import { useMessageApi } from './message-api'
import { lineOf } from './message-text'
import { useReading } from './reading'
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
  const reading = useReading()
  const api = useMessageApi()

  function mayEdit({ from, ts, seq, content }: Pick<MessageRow, 'from' | 'ts' | 'seq' | 'content'>, conversationId: string): boolean {
    const isMember = messenger.conversations.get(conversationId)?.present === true
    return isMember && seq !== undefined && from === me && content.forwardedFrom === undefined && content.msgType !== 'CALL' && Date.now() - ts < (messenger.limits?.editWindowMs ?? EDIT_MS)
  }

  function mayRecall({ from, ts, seq, content }: Pick<MessageRow, 'from' | 'ts' | 'seq' | 'content'>, conversationId: string): boolean {
    const conversation = messenger.conversations.get(conversationId)
    if (seq === undefined || !conversation?.present || content.msgType === 'CALL') return false
    const role = conversation.group?.members[me]?.role
    if (role === 'owner' || role === 'admin') return true
    return from === me && Date.now() - ts < (messenger.limits?.recallWindowMs ?? RECALL_MS)
  }

  /** In a single chat both may; in a group those who run it, or whoever may speak if the group wants it so. */
  function mayPin(conversationId: string): boolean {
    const conversation = messenger.conversations.get(conversationId)
    if (!conversation?.present) return false
    if (conversation.kind === 'single') return true
    const member = conversation.group?.members[me]
    if (!member) return false
    if (member.role !== 'member') return true
    return conversation.group?.info.membersPin === true && (member.mutedUntilTs ?? 0) <= Date.now()
  }

  async function pin(serverMsgId: string, remove: boolean): Promise<void> {
    try {
      await api.pin(serverMsgId, remove)
    } catch (error) {
      toasts.fail(error)
    }
  }

  /** Deletes messages for the user alone. Returns whether the user wanted it. */
  async function hide(conversationId: string, seqs: number[]): Promise<boolean> {
    const title = t('chat.deleteTitle', seqs.length)
    if (!(await questions.ask({ title, text: t('chat.deleteText'), confirm: t('chat.deleteForMe'), danger: true }))) return false
    try {
      await api.hide(conversationId, { msgSeqs: seqs })
    } catch (error) {
      toasts.fail(error)
    }
    return true
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
    items.push({ key: 'copy', label: t('chat.copy'), icon: Copy, onSelect: () => void copy(row.text === '' ? lineOf(row.content, from === me) : row.text) })
    if (seq === undefined) return items
    if (row.content.msgType !== 'CALL') items.push({ key: 'forward', label: t('chat.forward'), icon: Forward, onSelect: () => forwarding.begin(conversationId, [seq]) })
    if (mayEdit(row, conversationId)) items.push({ key: 'edit', label: t('chat.edit'), icon: Pencil, onSelect: () => composing.edit({ conversationId, seq, text: row.text }) })
    const { event } = row
    if (event && mayPin(conversationId)) {
      const isPinned = messenger.conversations.get(conversationId)?.pins?.includes(seq) === true
      items.push({ key: 'pin', label: t(isPinned ? 'chat.unpinMessage' : 'chat.pinMessage'), icon: isPinned ? PinOff : Pin, onSelect: () => void pin(event.row, isPinned) })
    }
    if (event && from === me && isMember && messenger.conversations.get(conversationId)?.kind === 'group') {
      items.push({ key: 'readers', label: t('chat.readers'), icon: CheckCheck, onSelect: () => reading.begin(conversationId, event.row) })
    }
    items.push({ key: 'select', label: t('chat.select'), icon: CircleCheckBig, onSelect: () => selection.begin(seq) })
    if (mayRecall(row, conversationId)) items.push({ key: 'recall', label: t('chat.recall'), icon: Undo2, danger: true, separated: true, onSelect: () => void recall(conversationId, [seq]) })
    items.push({ key: 'hide', label: t('chat.deleteForMe'), icon: Trash2, danger: true, separated: !mayRecall(row, conversationId), onSelect: () => void hide(conversationId, [seq]) })
    return items
  }

  return { itemsOf, mayEdit, mayRecall, mayPin, pin, copy, recall, hide }
}
