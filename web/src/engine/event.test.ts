import { describe, expect, it } from 'vitest'
import { amended, amendmentOf, type TimelineEvent } from './event'

const message: TimelineEvent = {
  conversationId: '7', seq: 42, row: '1', from: '1', ts: 0,
  what: { kind: 'message', body: 'now', rev: 46, edited: true, recalled: false },
}

describe('a change of a message', () => {
  it('that is in it already does no harm when it comes late', () => {
    expect(amended(message, { targetSeq: 42, seq: 44, body: 'before' })).toBe(message)
    expect(amended(message, { targetSeq: 42, seq: 46, body: 'again' })).toBe(message)
  })
  it('that is newer is applied, and is its rev', () => {
    const edited = amended(message, { targetSeq: 42, seq: 47, body: 'later' })
    expect(edited.what).toMatchObject({ body: 'later', rev: 47, edited: true })
    const recalled = amended(edited, { targetSeq: 42, seq: 48 })
    expect(recalled.what).toMatchObject({ body: '', rev: 48, recalled: true })
  })
  it('that recalls it leaves nothing of what it said', () => {
    const what = { ...message.what, msgType: 'LOCATION' as const, location: { latitude: 1, longitude: 2 }, replyTo: { msgSeq: 1, from: '2' } }
    const recalled = amended({ ...message, what } as TimelineEvent, { targetSeq: 42, seq: 47 })
    expect(recalled.what).toEqual({ kind: 'message', body: '', rev: 47, edited: true, recalled: true, msgType: 'LOCATION' })
  })
  it('that is a reaction comes last, once for each user, and goes with its last user', () => {
    const give = (seq: number, user: string, emoji: string, removed = false) => ({ targetSeq: 42, seq, reaction: { emoji, user, removed } })
    const all = [give(47, '1', '👍'), give(48, '2', '🎉'), give(49, '2', '👍'), give(50, '2', '👍'), give(51, '2', '🎉', true), give(52, '3', '🎉', true)]
    const event = all.reduce(amended, message)
    expect(event.what).toMatchObject({ reactions: [{ emoji: '👍', users: ['1', '2'] }], rev: 52 })
    expect(amended(event, give(51, '9', '😀'))).toBe(event)
    const none = amended(amended(event, give(53, '1', '👍', true)), give(54, '2', '👍', true))
    expect(none.what).not.toHaveProperty('reactions')
  })
  it('that was made void says nothing', () => {
    expect(amendmentOf(44, '9001', { kind: 'edited', targetSeq: 42 })).toBeUndefined()
  })
})
