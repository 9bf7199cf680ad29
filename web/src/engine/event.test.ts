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
  it('that was made void says nothing', () => {
    expect(amendmentOf(44, { kind: 'edited', targetSeq: 42 })).toBeUndefined()
  })
})
