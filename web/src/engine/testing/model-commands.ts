/** What the model server makes of commands: another event, something between two people, or a refusal. */
import type { Frame, ModelConversation, ModelStore } from './model-store'

/** Carries a command out. Returns where its event is, or the reason to refuse it. */
export function apply(store: ModelStore, user: string, frame: Frame): { conversation: ModelConversation; seq: number } | string {
  if (frame.type === 'SINGLE_CHAT') {
    const conversation = store.single(user, frame.to) ?? store.found('single', [user, frame.to])
    return store.append(conversation, user, frame, { body: frame.body })
  }
  if (frame.type === 'GROUP_CREATE') {
    const members: string[] = frame.members.filter((member: string) => member !== user)
    const conversation = store.found('group', [user, ...members], frame.title)
    conversation.roles.set(user, 'owner')
    for (const member of [user, ...members]) store.derive(member, user, { kind: 'conversationAdded', conversationId: conversation.id })
    const change = { kind: 'groupCreated', title: frame.title, members, history: 'joined' }
    return store.append(conversation, user, frame, { change })
  }
  if (frame.type === 'GROUP_JOIN') return joinBy(store, user, frame)
  const conversation = store.conversations.get(frame.groupId ?? frame.conversationId)
  const role = conversation?.roles.get(user)
  if (!conversation || role === undefined) return 'conversation_not_found'
  const seq = conversation.events.length + 1
  switch (frame.type) {
    case 'GROUP_CHAT':
      return store.append(conversation, user, frame, { body: frame.body, mentions: frame.mentions })
    case 'MESSAGE_REVOKE':
    case 'MESSAGE_EDIT': {
      const target = store.visible(conversation, user).find((event) => event.seq === frame.msgSeq)
      if (target?.body === undefined) return 'message_not_found'
      if (target.recalled) return 'nothing_to_change'
      if (target.from !== user) return 'not_allowed'
      const targetSeq = target.seq
      for (const { change } of conversation.events) {
        if (change?.kind === 'edited' && change.targetSeq === targetSeq) delete change.body
      }
      target.rev = seq
      const recalled = frame.type === 'MESSAGE_REVOKE'
      target.body = recalled ? '' : frame.body
      if (recalled) target.recalled = true
      if (recalled) delete target.mentions
      else target.edited = true
      const change = recalled ? { kind: 'recalled', targetSeq } : { kind: 'edited', targetSeq, body: frame.body }
      return store.append(conversation, user, frame, { change })
    }
    case 'GROUP_ADD': {
      const members = frame.members.filter((member: string) => !conversation.roles.has(member))
      if (role === 'member') return 'not_allowed'
      if (members.length === 0) return 'nothing_to_change'
      for (const member of members) {
        store.join(conversation, member, seq)
        store.derive(member, user, { kind: 'conversationAdded', conversationId: conversation.id })
      }
      return store.append(conversation, user, frame, { change: { kind: 'membersAdded', members } })
    }
    case 'GROUP_REMOVE': {
      const members = frame.members.filter((member: string) => conversation.roles.has(member) && member !== user)
      if (role !== 'owner') return 'not_allowed'
      if (members.length === 0) return 'nothing_to_change'
      for (const member of members) store.part(conversation, member, seq)
      return store.append(conversation, user, frame, { change: { kind: 'membersRemoved', members } })
    }
    case 'GROUP_LEAVE':
      if (role === 'owner') return 'not_allowed'
      store.part(conversation, user, seq)
      return store.append(conversation, user, frame, { change: { kind: 'memberLeft' } })
    case 'GROUP_ROLE':
      if (role !== 'owner' || frame.user === user) return 'not_allowed'
      if (!conversation.roles.has(frame.user)) return 'user_not_found'
      conversation.roles.set(frame.user, frame.role)
      if (frame.role === 'owner') conversation.roles.set(user, 'admin')
      return store.append(conversation, user, frame, { change: { kind: 'roleChanged', user: frame.user, role: frame.role } })
    case 'GROUP_TITLE':
      conversation.title = frame.title
      return store.append(conversation, user, frame, { change: { kind: 'titleChanged', title: frame.title } })
    case 'GROUP_SETTINGS': {
      if (role === 'member') return 'not_allowed'
      const { joining, announcement, muted } = frame
      const info: Frame = { ...conversation.info, joining, announcement, ...(muted ? { muted } : {}) }
      if (joining === 'closed') delete info.code
      else info.code = `CODE${conversation.id}`
      conversation.info = info
      return store.append(conversation, user, frame, { change: { kind: 'groupChanged', group: info } })
    }
    case 'GROUP_MEMBER': {
      if (!conversation.roles.has(frame.user)) return 'user_not_found'
      if (role !== 'owner' && frame.user !== user) return 'not_allowed'
      conversation.nicknames.set(frame.user, frame.nickname)
      const { user: member, nickname } = frame
      return store.append(conversation, user, frame, { change: { kind: 'memberChanged', user: member, nickname } })
    }
    case 'GROUP_ANSWER': {
      if (role === 'member') return 'not_allowed'
      if (!conversation.waiting.delete(frame.user)) return 'user_not_found'
      const conversationId = conversation.id
      store.derive(frame.user, user, { kind: frame.accept ? 'conversationAdded' : 'conversationRefused', conversationId })
      if (!frame.accept) return store.append(conversation, user, frame, { change: { kind: 'joinRefused', user: frame.user } })
      store.join(conversation, frame.user, seq)
      return store.append(conversation, user, frame, { change: { kind: 'membersAdded', members: [frame.user] } })
    }
    default:
      return 'unknown_type'
  }
}

function joinBy(store: ModelStore, user: string, frame: Frame): { conversation: ModelConversation; seq: number } | string {
  const conversation = [...store.conversations.values()].find(({ info }) => info.code === frame.code)
  if (!conversation) return 'conversation_not_found'
  if (conversation.roles.has(user) || conversation.waiting.has(user)) return 'nothing_to_change'
  if (conversation.info.joining === 'approval') {
    const { message } = frame
    conversation.waiting.set(user, { ts: store.clock.now(), ...(message === undefined ? {} : { message }) })
    return store.append(conversation, user, frame, { change: { kind: 'joinRequested' } })
  }
  store.join(conversation, user, conversation.events.length + 1)
  store.derive(user, user, { kind: 'conversationAdded', conversationId: conversation.id })
  return store.append(conversation, user, frame, { change: { kind: 'membersAdded', members: [user] } })
}

/** What one user does about another. Returns what they are to each other then, by whose contact it is, or the reason to refuse it. */
export function changeContacts(store: ModelStore, user: string, { user: other, action, message, remark }: Frame): (readonly [string, Frame])[] | string {
  const mine = { ...store.contactOf(user, other) }
  const theirs = { ...store.contactOf(other, user) }
  const isWaiting = (direction: string) => mine.application?.direction === direction
  const befriend = () => {
    for (const contact of [mine, theirs]) {
      contact.friendSinceTs = store.clock.now()
      delete contact.application
    }
  }
  if (action === 'apply') {
    if (mine.friendSinceTs !== undefined || isWaiting('outgoing')) return 'nothing_to_change'
    const ts = store.clock.now()
    const application = { message: message, ts, expiresTs: ts + 604_800_000 }
    if (isWaiting('incoming')) befriend()
    else {
      mine.application = { direction: 'outgoing', ...application }
      theirs.application = { direction: 'incoming', ...application }
    }
  } else if (action === 'accept' || action === 'reject' || action === 'withdraw') {
    if (!isWaiting(action === 'withdraw' ? 'outgoing' : 'incoming')) return 'application_not_found'
    if (action === 'accept') befriend()
    delete mine.application
    delete theirs.application
  } else if (action === 'remove' || action === 'remark') {
    if (mine.friendSinceTs === undefined) return 'not_friends'
    if (action === 'remark') mine.remark = remark
    else {
      for (const contact of [mine, theirs]) {
        delete contact.friendSinceTs
        delete contact.remark
      }
    }
  } else {
    if ((mine.blocked === true) === (action === 'block')) return 'nothing_to_change'
    if (action === 'block') mine.blocked = true
    else delete mine.blocked
  }
  return [[user, mine], [other, theirs]]
}
