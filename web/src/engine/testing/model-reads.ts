/** What the model server answers to questions, in pages that are as small as tests need them. */
import type { Event, Frame, ModelConversation, ModelStore } from './model-store'

export function sync(store: ModelStore, user: string, frame: Frame): Frame {
  const [epoch, since] = String(frame.token ?? `${store.epoch}:0`).split(':').map(Number)
  const resync = epoch !== store.epoch
  const after = resync ? 0 : since!
  const changed = [...store.conversations.values()]
    .filter((conversation) => conversation.intervals.has(user) && conversation.changedAt > after)
    .sort((one, other) => one.changedAt - other.changedAt)
  const page = changed.slice(0, 2)
  return {
    type: 'SYNC_STATE', epoch: String(store.epoch), ...(resync ? { resync } : {}),
    conversations: page.map((conversation) => syncOf(store, conversation, user)),
    token: `${store.epoch}:${page.at(-1)?.changedAt ?? after}`, more: changed.length > page.length,
  }
}

function syncOf(store: ModelStore, conversation: ModelConversation, user: string): Frame {
  const head = store.headOf(conversation, user)
  const { read, delivered } = conversation.cursors.get(user)!
  const peer = conversation.users.find((other) => other !== user)
  const peerCursors = peer === undefined ? undefined : conversation.cursors.get(peer)
  const member = conversation.roles.has(user)
  return {
    conversationId: conversation.id, kind: conversation.kind,
    ...(conversation.kind === 'single' ? { peer, peerReadSeq: peerCursors?.read, peerDeliveredSeq: peerCursors?.delivered } : {}),
    ...(conversation.kind === 'group' && member ? { title: conversation.title, memberCount: conversation.roles.size } : {}),
    ...(member ? {} : { left: true }),
    headSeq: head, headMsgNo: 0, readSeq: read, deliveredSeq: delivered,
    unread: store.unreadOf(conversation, user), unreadMentions: store.mentionsOf(conversation, user), ts: conversation.events[head - 1]?.ts ?? 0,
  }
}

export function pull(store: ModelStore, user: string, frame: Frame): Frame {
  const conversation = store.conversations.get(frame.conversationId)
  if (!conversation?.intervals.has(user)) {
    return { type: 'ERROR', reason: 'conversation_not_found', message: 'not there' }
  }
  const head = store.headOf(conversation, user)
  const { trimmedBefore } = conversation
  const limit = Math.min(frame.limit ?? 50, store.limits.pullEvents)
  const visible = store.visible(conversation, user).filter(({ seq }) => seq <= head)
  const base = { type: 'EVENTS', conversationId: conversation.id, headSeq: head, trimmedBefore }
  const encode = (events: Event[]) => events.map((event) => store.frameOf(conversation, event))
  if (frame.beforeSeq !== undefined) {
    const toSeq = Math.min(frame.beforeSeq - 1, head)
    const before = visible.filter(({ seq }) => seq <= toSeq)
    const events = before.slice(-limit)
    const hasMore = before.length > events.length
    return { ...base, fromSeq: hasMore ? events[0]!.seq : trimmedBefore, toSeq, hasMore, events: encode(events) }
  }
  const fromSeq = Math.max(trimmedBefore, (frame.afterSeq ?? 0) + 1)
  const after = visible.filter(({ seq }) => seq >= fromSeq)
  const events = after.slice(0, limit)
  const hasMore = after.length > events.length
  const toSeq = hasMore ? events.at(-1)!.seq : Math.max(head, fromSeq - 1)
  return { ...base, fromSeq, toSeq, hasMore, events: encode(events) }
}

export function state(store: ModelStore, user: string, frame: Frame): Frame {
  const conversation = store.conversations.get(frame.conversationId)
  if (!conversation?.roles.has(user)) {
    return { type: 'ERROR', reason: 'conversation_not_found', message: 'not there' }
  }
  const after = BigInt(frame.membersAfter ?? 0)
  const all = [...conversation.roles].filter(([member]) => BigInt(member) > after)
  all.sort(([one], [other]) => (BigInt(one) < BigInt(other) ? -1 : 1))
  const members = all.slice(0, 2).map(([member, role]) => ({ user: member, role, nickname: conversation.nicknames.get(member) }))
  return {
    type: 'CONVERSATION_STATE', conversationId: conversation.id, kind: conversation.kind,
    asOfSeq: conversation.events.length, trimmedBefore: conversation.trimmedBefore, title: conversation.title,
    history: conversation.history, group: conversation.info, memberCount: conversation.roles.size, members, more: all.length > 2,
  }
}

export function requests(store: ModelStore, user: string, { groupId, usersAfter }: Frame): Frame {
  const conversation = store.conversations.get(groupId)
  const role = conversation?.roles.get(user)
  if (!conversation || role === undefined || role === 'member') {
    return { type: 'ERROR', reason: 'not_allowed', message: 'not for you' }
  }
  const all = [...conversation.waiting].filter(([waiting]) => Number(waiting) > Number(usersAfter ?? 0))
  all.sort(([one], [other]) => Number(one) - Number(other))
  return {
    type: 'GROUP_REQUEST_STATE', groupId, asOfSeq: conversation.events.length,
    requests: all.slice(0, 1).map(([waiting, request]) => ({ user: waiting, ...request })), more: all.length > 1,
  }
}

export function contactPage(store: ModelStore, user: string, { list, usersAfter }: Frame): Frame {
  const isIn = ({ friendSinceTs, blocked, application }: Frame) =>
    list === 'friends' ? friendSinceTs !== undefined : list === 'blocked' ? blocked === true : application?.direction === list
  const all = [...store.contactsOf(user).values()].filter(isIn).filter((contact) => Number(contact.user) > Number(usersAfter ?? 0))
  all.sort((one, other) => Number(one.user) - Number(other.user))
  const personal = store.personal(user)
  return {
    type: 'CONTACT_STATE', list, conversationId: personal?.id, asOfSeq: personal?.events.length ?? 0,
    contacts: structuredClone(all.slice(0, 1)), more: all.length > 1,
  }
}
