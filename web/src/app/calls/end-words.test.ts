import { expect, it } from 'vitest'
import { LOCALES, loadLocale } from '../i18n'
import { endWords, shownMs } from './end-words'
import { useCallTexts } from './texts'

/** Those of the protocol, of the engine, and of opening microphone and camera. */
const REASONS = [
  'hungUp', 'cancelled', 'rejected', 'noAnswer', 'disconnected', 'answeredElsewhere', 'serverStopped', 'busy', 'glare', 'in_call', 'not_reachable', 'blocked_by_you', 'not_friends', 'user_not_found',
  'too_many_requests', 'lost', 'offline', 'mediaFailed', 'insecure', 'denied', 'noMicrophone', 'noCamera', 'deviceBusy', 'noRelay', 'unreachable',
]

it.each(LOCALES)('there are words for every end (%s)', async (locale) => {
  await loadLocale(locale)
  useCallTexts()
  for (const reason of REASONS) {
    for (const direction of ['incoming', 'outgoing'] as const) {
      const words = endWords({ end: { reason }, direction })
      expect(words, reason).not.toMatch(/^$|calls\.|errors\./)
      expect(words, reason).not.toBe(endWords({ end: { reason: 'not known here' }, direction }))
    }
  }
})

it('what the server says of a reason that is not known is passed on', async () => {
  await loadLocale('en')
  expect(endWords({ end: { reason: 'new_rule', message: 'not on Sundays' }, direction: 'outgoing' })).toBe('not on Sundays')
})

it('after a talk both hear the same, whoever hung up', async () => {
  await loadLocale('en')
  for (const reason of ['hungUp', 'cancelled']) expect(endWords({ end: { reason }, direction: 'incoming', connectedAt: 1 })).toBe('Call ended')
})

it('what asks the user for something stays until the user has read it', () => {
  expect(['denied', 'mediaFailed', 'lost'].map((reason) => shownMs({ reason }))).toEqual([undefined, undefined, undefined])
  expect(shownMs({ reason: 'hungUp' })).toBeLessThan(shownMs({ reason: 'busy' })!)
})
