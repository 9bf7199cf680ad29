import { beforeAll, expect, it } from 'vitest'
import { loadLocale } from '../i18n'
import { callLength, callLine, isMissed, type CallRecord } from './call-text'

beforeAll(() => loadLocale('en'))

const call = (outcome: CallRecord['outcome'], more: Partial<CallRecord> = {}): CallRecord => ({ callId: 'c', media: 'audio', outcome, ...more })

it.each([
  [call('answered', { durationMs: 61_900 }), 'Voice call · 1:01', 'Voice call · 1:01'],
  [call('answered', { durationMs: 3_723_000, media: 'video' }), 'Video call · 1:02:03', 'Video call · 1:02:03'],
  [call('missed'), 'Voice call · No answer', 'Missed voice call'],
  [call('cancelled', { media: 'video' }), 'Video call · Cancelled', 'Missed video call'],
  [call('rejected'), 'Voice call · Declined', 'Voice call · You declined'],
  [call('busy'), 'Voice call · Busy', 'Missed voice call'],
])('%o, to who called and who was called', (record, own, others) => {
  expect([callLine(record, true), callLine(record, false)]).toEqual([own, others])
})

it('nobody has missed a call of their own', () => {
  expect([isMissed(call('missed'), true), isMissed(call('missed'), false)]).toEqual([false, true])
})

it('lengths', () => {
  expect([0, 999, 9_000, 600_000].map(callLength)).toEqual(['0:00', '0:00', '0:09', '10:00'])
})
