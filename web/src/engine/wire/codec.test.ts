import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decode, decodeCloseReason, encode } from './codec'
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
