import { expect, it } from 'vitest'
import { endingOf } from './ending'

it.each([
  [4401, '{"reason":"auth"}', { kind: 'renew' }],
  [4403, '{"reason":"revoked"}', { kind: 'signedOut', reason: 'revoked' }],
  [4403, '{"reason":"account_disabled"}', { kind: 'signedOut', reason: 'account_disabled' }],
  [4403, '', { kind: 'signedOut', reason: 'revoked' }],
  [4409, '{"reason":"replaced"}', { kind: 'halt', reason: 'replaced' }],
  [4429, '{"reason":"banned"}', { kind: 'halt', reason: 'banned' }],
  [4499, '{"reason":"of a later version"}', { kind: 'halt', reason: 'refused' }],
  [4503, '{"reason":"drain","retryAfterMs":2317}', { kind: 'retry', retryAfterMs: 2317, reason: 'drain' }],
  [4504, '{"reason":"idle"}', { kind: 'retry', retryAfterMs: 0, reason: 'idle' }],
  [4599, '{"reason":"later"}', { kind: 'retry', retryAfterMs: 0, reason: 'later' }],
  [1006, '', { kind: 'retry', retryAfterMs: 0, reason: 'lost' }],
])('a connection closed with %i %s', (code, text, ending) => {
  expect(endingOf(code, text)).toEqual(ending)
})
