/** How far something that the user has written has come. */
import type { ConversationView, OutboxEntry, TimelineEvent } from '../../engine'

export type SendingState = 'sending' | 'failed' | 'saved' | 'delivered' | 'read'

/** The state of the last event of a conversation, if it is in the timeline. */
export function stateOf(conversation: ConversationView): SendingState | undefined {
  return conversation.last && stateOfEvent(conversation, conversation.last)
}

/** In a group, who has read is another question; there it says that the server has it. */
export function stateOfEvent({ kind, peerCursors }: Pick<ConversationView, 'kind' | 'peerCursors'>, { seq }: Pick<TimelineEvent, 'seq'>): SendingState {
  if (kind !== 'single') return 'saved'
  if (peerCursors.read >= seq) return 'read'
  return peerCursors.delivered >= seq ? 'delivered' : 'saved'
}

export function stateOfEntry({ state }: OutboxEntry): SendingState {
  if (state === 'refused') return 'failed'
  return state === 'saved' ? 'saved' : 'sending'
}
