import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decode, decodeAnyway, decodeCloseReason, encode } from './codec'
import { FrameError } from './decode'
import type { ClientFrame } from './protocol'

interface Vector {
  name: string
  text: string
  canonical?: string
  reason?: string
}

function golden(file: string): Vector[] {
  const path = new URL(`../../../../crates/petrel-protocol/golden/${file}`, import.meta.url)
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Vector)
}

/** Where this codec keeps, or leaves out, what the Rust codec does not. */
const DIFFERENT: Record<string, object> = {
  'events, an event keeps its text as it came': { events: [] },
  'error, reason of a later version': { reason: 'later_reason' },
}

describe('the golden vectors of the server', () => {
  it.each(golden('server.jsonl'))('$name', ({ name, text, canonical, reason }) => {
    if (canonical === undefined) {
      expect(() => decode(text)).toThrowError(
        expect.objectContaining({ name: 'FrameError', reason }) as FrameError,
      )
    } else {
      expect(decode(text)).toEqual({ ...JSON.parse(canonical), ...DIFFERENT[name] })
    }
  })
})

describe('the golden vectors of clients', () => {
  const accepted = golden('client.jsonl').filter(({ canonical }) => canonical !== undefined)
  it.each(accepted)('$name', ({ canonical }) => {
    const frame = JSON.parse(canonical!) as ClientFrame
    expect(JSON.parse(encode(frame))).toEqual(frame)
  })
})

describe('what a later server says', () => {
  const place = { from: '10000000001', serverMsgId: '4712', conversationId: '81920005', msgSeq: 43, ts: 1_800_000_000_000 }
  const answer = (...events: object[]) =>
    JSON.stringify({
      type: 'EVENTS', id: 3, conversationId: '81920005', fromSeq: 43, toSeq: 44, headSeq: 44, trimmedBefore: 1, hasMore: false, events,
    })
  const change = { kind: 'roleChanged', user: '10000000002', role: 'harbourmaster' }
  const event = { type: 'EVENT', ...place, change, fallback: 'ada made bob harbourmaster' }
  const next = { ...place, type: 'GROUP_CHAT', groupId: '81920005', clientMsgId: 'm', msgSeq: 44, msgType: 'TEXT', body: 'Hello' }

  it('in an event of a known kind leaves its place and its fallback, and the other events', () => {
    const frame = decode(answer(event, next))
    expect(frame.type === 'EVENTS' && frame.events).toEqual([
      { type: 'EVENT', ...place, change: { kind: 'unknown' }, fallback: event.fallback },
      next,
    ])
  })

  it('in a message counts as a message', () => {
    const message = { ...next, msgSeq: 43, msgType: 'SMELL', body: 'sea' }
    const frame = decode(answer(message, next))
    expect(frame.type === 'EVENTS' && frame.events[0]).toMatchObject({
      type: 'EVENT', msgSeq: 43, clientMsgId: 'm', change: { kind: 'unknown', isMessage: true }, fallback: 'sea',
    })
  })

  it('that has no place is passed over, the others are read', () => {
    const frame = decode(answer({ type: 'EVENT', fallback: 'somewhere' }, next))
    expect(frame.type === 'EVENTS' && frame.events).toEqual([next])
  })

  it('by itself is shown, too', () => {
    expect(decodeAnyway(JSON.stringify(event))).toMatchObject({ type: 'EVENT', msgSeq: 43, fallback: event.fallback })
    expect(decodeAnyway('{"type":"LATER_KIND"}')).toBeUndefined()
    expect(decodeAnyway('<html>')).toBeUndefined()
  })

  it('as an answer refuses the question', () => {
    expect(decodeAnyway('{"type":"EVENTS","id":7}')).toMatchObject({ type: 'ERROR', id: 7, reason: 'unreadable_answer' })
  })
})

describe('a close reason', () => {
  it('says when to come back', () => {
    expect(decodeCloseReason('{"reason":"drain","retryAfterMs":2317}')).toEqual({
      reason: 'drain',
      retryAfterMs: 2317,
    })
  })
  it('that is no JSON says nothing', () => {
    expect(decodeCloseReason('frame too large')).toBeUndefined()
    expect(decodeCloseReason('{"reason":5}')).toBeUndefined()
  })
})
