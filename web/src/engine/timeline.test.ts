import { describe, expect, it } from 'vitest'
import { eventOf } from './event'
import { Step } from './step'
import { Timeline } from './timeline'
import type { Change } from './wire/change'
import type { AnySyncConversation, EventsFrame, PlacedFrame } from './wire/codec'

const ME = '9001'
const OTHER = '9002'
const ID = '7'

function place(msgSeq: number, from: string) {
  return { from, serverMsgId: `${100 + msgSeq}`, conversationId: ID, msgSeq, ts: 1_000 + msgSeq }
}

function message(msgSeq: number, more: Partial<Extract<PlacedFrame, { type: 'GROUP_CHAT' }>> = {}): PlacedFrame {
  const what = { clientMsgId: `m${msgSeq}`, groupId: ID, msgType: 'TEXT' as const, body: `b${msgSeq}` }
  return { type: 'GROUP_CHAT', ...place(msgSeq, OTHER), ...what, ...more }
}

function change(msgSeq: number, what: Change, from = OTHER): PlacedFrame {
  return { type: 'EVENT', ...place(msgSeq, from), change: what, fallback: '' }
}

function page(fromSeq: number, events: PlacedFrame[], more: Partial<EventsFrame> = {}): EventsFrame {
  const toSeq = events.at(-1)?.msgSeq ?? fromSeq - 1
  const rest = { headSeq: toSeq, trimmedBefore: 1, hasMore: false }
  return { type: 'EVENTS', conversationId: ID, fromSeq, toSeq, ...rest, events, ...more }
}

function messages(from: number, to: number): PlacedFrame[] {
  return Array.from({ length: to - from + 1 }, (_, index) => message(from + index))
}

function begun(fromSeq: number, events: PlacedFrame[]): Timeline {
  const timeline = Timeline.begin(ID, ME, 'group')
  timeline.begin(new Step(), page(fromSeq, events))
  return timeline
}

function push(timeline: Timeline, frame: PlacedFrame): Step {
  const step = new Step()
  timeline.place(step, eventOf(frame))
  return step
}

const seqs = ({ events }: Timeline) => events.map(({ seq }) => seq)

function sync(fields: Partial<AnySyncConversation>): AnySyncConversation {
  return {
    conversationId: ID, kind: 'group', headSeq: 0, headMsgNo: 0, readSeq: 0, deliveredSeq: 0, unread: 0, ts: 1, ...fields,
  } as AnySyncConversation
}

const GROUP = { conversationId: ID, kind: 'group' as const, trimmedBefore: 1, title: 'Harbour', history: 'joined' as const }

describe('events by their places', () => {
  it('take one that is next, and leave one that is known or beyond a hole', () => {
    const timeline = begun(1, messages(1, 3))
    push(timeline, message(5))
    push(timeline, message(2, { body: 'of another time' }))
    expect(seqs(timeline)).toEqual([1, 2, 3])
    expect(timeline.isBehind).toBe(true)
    push(timeline, message(4))
    expect(timeline.record.position).toBe(4)
  })

  it('an answer that does not reach the copy is of no use', () => {
    const timeline = begun(1, messages(1, 3))
    timeline.cover(new Step(), page(6, messages(6, 8)), 8)
    expect(seqs(timeline)).toEqual([1, 2, 3])
    expect(timeline.record.position).toBe(3)
    const later = begun(10, messages(10, 12))
    later.older(new Step(), page(3, messages(3, 6)))
    expect(seqs(later)).toEqual([10, 11, 12])
    expect(later.record.from).toBe(10)
  })

  it('an event of a kind that is not known moves the position', () => {
    const timeline = begun(1, messages(1, 1))
    push(timeline, change(2, { kind: 'unknown' }))
    push(timeline, message(3))
    expect(timeline.record.position).toBe(3)
  })

  it('forgets what it held when events were trimmed that it has missed', () => {
    const timeline = begun(1, messages(1, 3))
    const step = new Step()
    timeline.cover(step, page(6, messages(6, 7), { trimmedBefore: 6 }), 7)
    expect(seqs(timeline)).toEqual([6, 7])
    expect(step.batch.forget.get(ID)).toBe(6)
  })

  it('keeps no old copies when the user joins again', () => {
    const timeline = begun(1, messages(1, 2))
    push(timeline, change(3, { kind: 'membersRemoved', members: [ME] }))
    expect(timeline.record.present).toBe(false)
    const step = push(timeline, change(4, { kind: 'membersAdded', members: [ME] }))
    expect(seqs(timeline)).toEqual([4])
    expect(timeline.record.from).toBe(4)
    expect(timeline.record.present).toBe(true)
    expect(step.batch.forget.get(ID)).toBe(4)
    expect(step.batch.events.map(({ seq }) => seq)).toEqual([4])
  })
})

describe('changes of messages', () => {
  it('reach a message that is still on its way', () => {
    const timeline = begun(5, messages(5, 6))
    const step = push(timeline, change(7, { kind: 'edited', targetSeq: 3, body: 'new' }))
    expect(step.batch.amendments).toEqual([{ conversationId: ID, amendment: { targetSeq: 3, seq: 7, body: 'new' } }])
    // The page was asked for before the edit.
    timeline.older(new Step(), page(1, messages(1, 4)))
    expect(timeline.find(3)?.what).toMatchObject({ body: 'new', rev: 7 })
  })

  it('a recall takes the text and the names out, a late edit changes nothing', () => {
    const timeline = begun(1, [message(1, { mentions: [ME] })])
    push(timeline, change(2, { kind: 'recalled', targetSeq: 1 }))
    timeline.place(new Step(), eventOf(change(3, { kind: 'edited', targetSeq: 1 })))
    const what = timeline.find(1)!.what
    expect(what).toEqual({ kind: 'message', body: '', rev: 2, edited: false, recalled: true })
  })
})

describe('unread messages', () => {
  it('before the window are counted, too, until they are read', () => {
    const timeline = Timeline.begin(ID, ME, 'group')
    timeline.takeSync(new Step(), sync({ headSeq: 12, readSeq: 1, unread: 11, unreadMentions: 3 }), true)
    timeline.begin(new Step(), page(9, [message(9, { mentions: [ME] }), ...messages(10, 12)]))
    expect(timeline.record).toMatchObject({ unread: 11, unreadMentions: 3 })
    push(timeline, message(13, { mentionAll: true }))
    expect(timeline.record).toMatchObject({ unread: 12, unreadMentions: 4 })
    timeline.older(new Step(), page(5, [message(5), message(6, { mentions: [ME, OTHER] }), ...messages(7, 8)]))
    expect(timeline.record).toMatchObject({ unread: 12, unreadMentions: 4 })
    timeline.markRead(new Step(), 9)
    expect(timeline.record).toMatchObject({ unread: 4, unreadMentions: 1 })
    timeline.markRead(new Step(), 13)
    expect(timeline.record).toMatchObject({ unread: 0, unreadMentions: 0 })
  })

  it('name the user no longer when they are recalled', () => {
    const timeline = begun(1, [message(1, { mentions: [ME] }), message(2, { mentions: [OTHER] })])
    expect(timeline.record).toMatchObject({ unread: 2, unreadMentions: 1 })
    push(timeline, change(3, { kind: 'recalled', targetSeq: 1 }))
    expect(timeline.record).toMatchObject({ unread: 2, unreadMentions: 0 })
  })
})

describe('a recall of a message that is not in memory', () => {
  const counted = () => {
    const timeline = Timeline.begin(ID, ME, 'group')
    timeline.takeSync(new Step(), sync({ headSeq: 12, readSeq: 1, unread: 11, unreadMentions: 2 }), true)
    timeline.begin(new Step(), page(9, messages(9, 12)))
    return timeline
  }

  it('is counted by the server if the message may have named the user', () => {
    const timeline = counted()
    expect(push(timeline, change(13, { kind: 'recalled', targetSeq: 6 })).miscounted).toBe(true)
    timeline.takeSync(new Step(), sync({ headSeq: 13, readSeq: 1, unread: 11, unreadMentions: 1 }), true)
    expect(timeline.record).toMatchObject({ unread: 11, unreadMentions: 1 })
  })

  it('asks nothing if it was read, or nothing unread before the window names the user', () => {
    const timeline = counted()
    expect(push(timeline, change(13, { kind: 'recalled', targetSeq: 1 })).miscounted).toBe(false)
    timeline.markRead(new Step(), 8)
    expect(push(timeline, change(14, { kind: 'recalled', targetSeq: 6 })).miscounted).toBe(false)
  })

  it('asks nothing if the server has counted it already', () => {
    const timeline = counted()
    timeline.takeSync(new Step(), sync({ headSeq: 13, readSeq: 1, unread: 11, unreadMentions: 1 }), true)
    const step = new Step()
    timeline.cover(step, page(13, [change(13, { kind: 'recalled', targetSeq: 6 })]), 13)
    expect(step.miscounted).toBe(false)
    expect(timeline.record).toMatchObject({ unread: 11, unreadMentions: 1 })
  })
})

describe('a group that was asked for', () => {
  const state = (members: string[], asOfSeq: number, more = false) => ({
    ...GROUP, asOfSeq, more, memberCount: 3, group: { joining: 'closed' as const },
    members: members.map((user) => ({ user, role: user === ME ? ('owner' as const) : ('member' as const) })),
  })

  it('follows the events after the first page', () => {
    const timeline = begun(5, messages(5, 6))
    timeline.takeState(new Step(), state([ME], 6, true), timeline.record.group)
    push(timeline, change(7, { kind: 'memberChanged', user: OTHER, nickname: 'Bo', mutedUntilTs: 5_000 }))
    push(timeline, change(8, { kind: 'groupChanged', group: { joining: 'approval', code: 'K7' } }))
    push(timeline, change(9, { kind: 'membersRemoved', members: ['9003'] }))
    timeline.takeState(new Step(), state([OTHER, '9003'], 7), timeline.record.group)
    expect(timeline.record.group).toEqual({
      kind: 'known',
      state: {
        asOfSeq: 9, title: 'Harbour', history: 'joined', info: { joining: 'approval', code: 'K7' },
        members: { [ME]: { role: 'owner' }, [OTHER]: { role: 'member', nickname: 'Bo', mutedUntilTs: 5_000 } },
      },
    })
    expect(timeline.record.memberCount).toBe(2)
  })

  it('a member keeps the name with another role, and loses it with the membership', () => {
    const timeline = begun(1, [change(1, { kind: 'groupCreated', title: 'Harbour', members: [OTHER], history: 'joined' }, ME)])
    const other = () => (timeline.record.group.kind === 'known' ? timeline.record.group.state.members[OTHER] : undefined)
    push(timeline, change(2, { kind: 'memberChanged', user: OTHER, nickname: 'Bo', mutedUntilTs: 5_000 }))
    push(timeline, change(3, { kind: 'roleChanged', user: OTHER, role: 'admin' }, ME))
    expect(other()).toEqual({ role: 'admin', nickname: 'Bo', mutedUntilTs: 5_000 })
    push(timeline, change(4, { kind: 'memberChanged', user: OTHER, nickname: 'Bo' }))
    expect(other()).toEqual({ role: 'admin', nickname: 'Bo' })
    push(timeline, change(5, { kind: 'membersRemoved', members: [OTHER] }, ME))
    push(timeline, change(6, { kind: 'memberChanged', user: OTHER, nickname: 'nobody' }))
    expect(other()).toBeUndefined()
    push(timeline, change(7, { kind: 'membersAdded', members: [OTHER] }, ME))
    expect(other()).toEqual({ role: 'member' })
  })

  it('is asked for again if events between it and the copy are missing', () => {
    const timeline = begun(8, messages(8, 9))
    timeline.takeState(new Step(), state([ME], 5), timeline.record.group)
    expect(timeline.record.group).toEqual({ kind: 'unknown' })
  })

  it('is not built from pages of before and after a loss', () => {
    const timeline = begun(1, messages(1, 2))
    timeline.takeState(new Step(), state([ME], 2, true), timeline.record.group)
    const asked = timeline.record.group
    timeline.restart(new Step())
    timeline.begin(new Step(), page(3, messages(3, 4)))
    timeline.takeState(new Step(), state([OTHER], 2), asked)
    expect(timeline.record.group).toEqual({ kind: 'unknown' })
  })

  it('applies who was let in or not to those who wait on earlier pages', () => {
    const timeline = begun(5, messages(5, 6))
    const answer = (user: string, asOfSeq: number, more: boolean) => ({ groupId: ID, asOfSeq, more, requests: [{ user, ts: 1 }] })
    timeline.takeRequests(new Step(), answer('9005', 6, true), timeline.record.requests)
    push(timeline, change(7, { kind: 'joinRefused', user: '9005' }))
    timeline.takeRequests(new Step(), answer('9006', 7, false), timeline.record.requests)
    expect(timeline.record.requests).toEqual({ kind: 'known', state: { asOfSeq: 7, waiting: { '9006': { ts: 1 } } } })
  })

  it('tells those who decide who waits; what somebody says is asked for', () => {
    const timeline = begun(5, messages(5, 6))
    timeline.takeState(new Step(), state([ME, OTHER], 6), timeline.record.group)
    expect(timeline.wantsRequests).toBe(true)
    const requests = (waiting: string[], asOfSeq: number) => ({
      groupId: ID, asOfSeq, more: false, requests: waiting.map((user) => ({ user, ts: 1, message: `I am ${user}` })),
    })
    timeline.takeRequests(new Step(), requests(['9005', '9006'], 6), timeline.record.requests)
    expect(timeline.wantsRequests).toBe(false)
    push(timeline, change(7, { kind: 'joinRefused', user: '9005' }))
    push(timeline, change(8, { kind: 'membersAdded', members: ['9006'] }))
    expect(timeline.record.requests).toEqual({ kind: 'known', state: { asOfSeq: 8, waiting: {} } })
    push(timeline, change(9, { kind: 'joinRequested' }, '9005'))
    expect(timeline.record.requests).toMatchObject({ state: { waiting: { '9005': { untold: true } } } })
    expect(timeline.wantsRequests).toBe(true)
    timeline.takeRequests(new Step(), requests(['9005'], 9), timeline.record.requests)
    expect(timeline.record.requests).toMatchObject({ state: { waiting: { '9005': { message: 'I am 9005' } } } })
    expect(timeline.wantsRequests).toBe(false)
    push(timeline, change(10, { kind: 'roleChanged', user: ME, role: 'member' }))
    push(timeline, change(11, { kind: 'joinRequested' }, '9006'))
    expect(timeline.wantsRequests, 'a member is not told').toBe(false)
  })
})

describe('the personal timeline', () => {
  const friend = (user: string, ts = 1): Change => ({ kind: 'contactChanged', action: 'accept', contact: { user, friendSinceTs: ts } })
  const personal = (fromSeq: number, events: PlacedFrame[]) => {
    const timeline = Timeline.begin(ID, ME, 'personal')
    timeline.begin(new Step(), page(fromSeq, events))
    return timeline
  }

  it('tells all contacts when it is here from the first event on', () => {
    const timeline = personal(1, [change(1, friend('9003')), change(2, friend('9004'))])
    push(timeline, change(3, { kind: 'contactChanged', action: 'remove', contact: { user: '9003' } }))
    push(timeline, change(4, { kind: 'settingsChanged', settings: { findable: false } }))
    expect(timeline.wantsContacts).toBe(false)
    expect(timeline.record).toMatchObject({
      contacts: { kind: 'known', state: { asOfSeq: 4 } }, settings: { findable: false },
    })
    expect(timeline.record.contacts.kind === 'known' && Object.keys(timeline.record.contacts.state.contacts)).toEqual(['9004'])
  })

  it('knows when an admin has cleared something of the user, until the user changes something', () => {
    const timeline = personal(1, [change(1, { kind: 'settingsChanged', settings: { findable: true, displayName: 'Ada' } }, ME)])
    expect(timeline.record.cleared).toBeUndefined()
    push(timeline, change(2, { kind: 'settingsChanged', settings: { findable: true } }, '0'))
    expect(timeline.record).toMatchObject({ cleared: { seq: 2 }, settings: { findable: true } })
    push(timeline, change(3, friend('9003')))
    expect(timeline.record.cleared?.seq).toBe(2)
    push(timeline, change(4, { kind: 'settingsChanged', settings: { findable: true, displayName: 'Ben' } }, ME))
    expect(timeline.record.cleared).toBeUndefined()
  })

  it('has its lists asked for when it begins in the middle, and adds what happened since', () => {
    const timeline = personal(5, [change(5, friend('9003'))])
    expect(timeline.wantsContacts).toBe(true)
    const lists = [
      ['friends', [{ user: '9003', friendSinceTs: 1 }]], ['incoming', []], ['outgoing', []], ['blocked', [{ user: '9009', blocked: true }]],
    ] as const
    for (const [list, contacts] of lists) {
      // A later page is as of a later event, which the earlier ones do not have.
      const asOfSeq = timeline.record.position!
      const answer = { list, asOfSeq, contacts: [...contacts], more: false }
      timeline.takeContacts(new Step(), answer, timeline.record.contacts)
      if (list === 'incoming') push(timeline, change(6, friend('9004', 6)))
    }
    expect(timeline.wantsContacts).toBe(false)
    expect(timeline.record.contacts).toEqual({
      kind: 'known',
      state: {
        asOfSeq: 6,
        contacts: {
          '9003': { user: '9003', friendSinceTs: 1 }, '9004': { user: '9004', friendSinceTs: 6 }, '9009': { user: '9009', blocked: true },
        },
      },
    })
  })

  it('does not take a page of the contacts for another question than it answers', () => {
    const timeline = personal(5, [change(5, friend('9003'))])
    const first = timeline.record.contacts
    const answer = { list: 'friends' as const, asOfSeq: 5, contacts: [{ user: '9003', friendSinceTs: 1 }], more: false }
    timeline.takeContacts(new Step(), answer, first)
    const second = timeline.record.contacts
    timeline.takeContacts(new Step(), { ...answer, contacts: [] }, first)
    expect(timeline.record.contacts).toBe(second)
  })

  it('knows neither contacts nor settings when some of it was missed', () => {
    const timeline = personal(1, [change(1, friend('9003')), change(2, { kind: 'settingsChanged', settings: { findable: true } })])
    timeline.cover(new Step(), page(6, [change(6, friend('9004'))], { trimmedBefore: 6 }), 6)
    expect(timeline.wantsContacts).toBe(true)
    expect(timeline.record.settings).toBeUndefined()
  })
})

describe('invitations into groups', () => {
  const invited = (conversationId: string, title = 'Harbour watch'): Change => ({ kind: 'groupInvited', conversationId, title, expiresTs: 9_000 })
  const ended = (conversationId: string): Change => ({ kind: 'groupInvitationEnded', conversationId })
  const invitation = (groupId: string, seq: number, title = 'Harbour watch') => ({ groupId, title, by: OTHER, ts: 1_000 + seq, expiresTs: 9_000 })
  const personal = (fromSeq: number, events: PlacedFrame[]) => {
    const timeline = Timeline.begin(ID, ME, 'personal')
    timeline.begin(new Step(), page(fromSeq, events))
    return timeline
  }
  const ask = (timeline: Timeline, asOfSeq: number, invitations: ReturnType<typeof invitation>[], more = false) =>
    timeline.takeInvitations(new Step(), { asOfSeq, invitations, more }, timeline.record.invitations)

  it('follow from the events where all of them are here, and end by coming in and by not coming in', () => {
    const timeline = personal(1, [change(1, invited('81')), change(2, invited('82', 'Pier')), change(3, invited('83'))])
    expect(timeline.wantsInvitations).toBe(false)
    push(timeline, change(4, ended('81'), ME))
    push(timeline, change(5, { kind: 'conversationAdded', conversationId: '83' }))
    push(timeline, change(6, { kind: 'settingsChanged', settings: { findable: true } }))
    expect(timeline.record.invitations).toEqual({ kind: 'known', state: { asOfSeq: 6, waiting: { '82': invitation('82', 2, 'Pier') } } })
  })

  it('are asked for otherwise, page by page, and what happened since the first is applied to them', () => {
    const timeline = personal(5, [change(5, invited('81'))])
    expect(timeline.wantsInvitations).toBe(true)
    ask(timeline, 5, [invitation('81', 5)], true)
    expect(timeline.record.invitations).toMatchObject({ kind: 'fetching', after: '81' })
    push(timeline, change(6, ended('81'), ME))
    push(timeline, change(7, invited('90')))
    ask(timeline, 7, [invitation('82', 2), invitation('90', 7)])
    expect(timeline.wantsInvitations).toBe(false)
    expect(timeline.record.invitations).toEqual({ kind: 'known', state: { asOfSeq: 7, waiting: { '82': invitation('82', 2), '90': invitation('90', 7) } } })
  })

  it('are not taken for another question than the page answers', () => {
    const timeline = personal(5, [change(5, invited('81'))])
    ask(timeline, 5, [invitation('81', 5)], true)
    const before = timeline.record.invitations
    timeline.takeInvitations(new Step(), { asOfSeq: 5, invitations: [], more: false }, undefined)
    expect(timeline.record.invitations).toBe(before)
  })

  it('are unknown when some of the timeline was missed, and to a copy of before there were any', () => {
    const timeline = personal(1, [change(1, invited('81'))])
    timeline.cover(new Step(), page(6, [change(6, invited('82'))], { trimmedBefore: 6 }), 6)
    expect(timeline.wantsInvitations).toBe(true)
    const { invitations: _, ...older } = personal(1, [change(1, invited('81'))]).record
    const copy = new Timeline(older, ME, [])
    expect([copy.wantsInvitations, copy.wantsContacts]).toEqual([true, false])
    ask(copy, 1, [invitation('81', 1)])
    expect(copy.record.invitations).toMatchObject({ kind: 'known', state: { waiting: { '81': { title: 'Harbour watch', by: OTHER } } } })
  })
})

describe('pinned messages', () => {
  const state = (asOfSeq: number, pins: number[]) => ({ ...GROUP, asOfSeq, pins, memberCount: 0, members: [], more: false })
  const pin = (targetSeq: number, removed?: true) => ({ kind: 'pinned' as const, targetSeq, ...(removed ? { removed } : {}) })

  it('follow from the events where all of them are here', () => {
    const timeline = begun(1, messages(1, 3))
    expect(timeline.wantsPins).toBe(false)
    for (const [index, what] of [pin(1), pin(3), pin(2), pin(3, true)].entries()) push(timeline, change(4 + index, what))
    expect(timeline.pins).toEqual([1, 2])
  })

  it('are asked for otherwise, and what happened since the answer is applied to it', () => {
    const timeline = begun(20, messages(20, 22))
    expect(timeline.wantsPins).toBe(true)
    expect(timeline.pins).toBeUndefined()
    push(timeline, change(23, pin(9, true)))
    push(timeline, change(24, pin(21)))
    timeline.takePins(new Step(), state(22, [8, 9]))
    expect(timeline.pins).toEqual([8, 21])
    expect(timeline.wantsPins).toBe(false)
  })

  it('that are in the answer already are not applied once more', () => {
    const timeline = begun(20, messages(20, 20))
    timeline.takePins(new Step(), state(22, [9, 20]))
    push(timeline, change(21, pin(20)))
    push(timeline, change(22, pin(9)))
    expect(timeline.pins).toEqual([9, 20])
  })

  it('come with the first page of the members, and not with a later one', () => {
    const timeline = begun(20, messages(20, 20))
    const members = [{ user: OTHER, role: 'owner' as const }]
    timeline.takeState(new Step(), { ...state(20, [20]), members, memberCount: 2, more: true }, timeline.record.group)
    timeline.takeState(new Step(), { ...state(20, []), members, memberCount: 2 }, timeline.record.group)
    expect(timeline.pins).toEqual([20])
  })

  it('are none that were recalled, trimmed or deleted', () => {
    const timeline = begun(1, messages(1, 4))
    for (const [index, seq] of [1, 2, 3, 4].entries()) push(timeline, change(5 + index, pin(seq)))
    push(timeline, change(9, { kind: 'recalled', targetSeq: 4 }))
    timeline.hide(new Step(), { msgSeqs: [2] })
    timeline.record.trimmedBefore = 2
    expect(timeline.pins).toEqual([3])
  })
})

describe('what the user has deleted', () => {
  it('goes from memory and disk, and is not unread any more', () => {
    const timeline = begun(1, messages(1, 4))
    expect(timeline.record.unread).toBe(4)
    const step = new Step()
    timeline.hide(step, { msgSeqs: [2, 3] })
    expect(seqs(timeline)).toEqual([1, 4])
    expect(step.batch.hide.get(ID)).toEqual([2, 3])
    expect(step.redrawn.has(ID)).toBe(true)
    expect(timeline.record.unread).toBe(2)
    expect(step.miscounted).toBe(false)
  })

  it('stays away when it comes later, from the server or from disk', () => {
    const timeline = begun(5, messages(5, 6))
    timeline.hide(new Step(), { msgSeqs: [3, 4, 8] })
    const step = new Step()
    timeline.older(step, page(4, messages(4, 4)))
    expect(step.batch.events).toEqual([])
    timeline.recover(new Step(), [eventOf(message(4))], 200)
    timeline.cover(new Step(), page(7, messages(7, 9)), 9)
    expect(seqs(timeline)).toEqual([5, 6, 7, 9])
    expect(timeline.record.position).toBe(9)
  })

  it('up to a place is nowhere to be had, and read', () => {
    const timeline = begun(5, messages(5, 9))
    const step = new Step()
    timeline.hide(step, { upToSeq: 7 })
    expect(seqs(timeline)).toEqual([8, 9])
    expect(step.batch.forget.get(ID)).toBe(8)
    expect(timeline.hasOlder).toBe(false)
    expect(timeline.record.unread).toBe(2)
  })

  it('up to a place that is not here yet does not come, and what follows from it is asked for', () => {
    const timeline = begun(1, [change(1, { kind: 'groupCreated', title: 'Harbour', members: [ME], history: 'joined' }), message(2)])
    timeline.hide(new Step(), { upToSeq: 4 })
    expect(timeline.wantsGroup).toBe(true)
    timeline.cover(new Step(), page(3, messages(3, 5)), 5)
    expect(seqs(timeline)).toEqual([5])
    expect(timeline.record.unread).toBe(1)
  })

  it('and is unread somewhere before what is here, only the server can count', () => {
    const timeline = Timeline.begin(ID, ME, 'group')
    timeline.takeSync(new Step(), sync({ headSeq: 9, readSeq: 2, unread: 7 }), true)
    timeline.begin(new Step(), page(8, messages(8, 9)))
    const step = new Step()
    timeline.hide(step, { msgSeqs: [4] })
    expect(step.miscounted).toBe(true)
  })

  it('told once more changes nothing', () => {
    const timeline = begun(1, messages(1, 4))
    timeline.hide(new Step(), { msgSeqs: [2], upToSeq: 1 })
    const step = new Step()
    timeline.hide(step, { msgSeqs: [1, 2] })
    expect(step.touched.size).toBe(0)
  })
})
