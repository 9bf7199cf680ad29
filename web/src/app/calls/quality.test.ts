import { expect, it } from 'vitest'
import { isPoor, sampleOf } from './quality'

it('adds up what comes in, and takes the round trip of the way that is used', () => {
  const report = [
    { type: 'inbound-rtp', packetsReceived: 100, packetsLost: 2 },
    { type: 'inbound-rtp', packetsReceived: 50, packetsLost: -1 },
    { type: 'outbound-rtp', packetsSent: 9 },
    { type: 'candidate-pair', state: 'failed', nominated: false, currentRoundTripTime: 9 },
    { type: 'candidate-pair', state: 'succeeded', nominated: true, currentRoundTripTime: 0.08 },
  ]
  expect(sampleOf(report)).toEqual({ received: 150, lost: 2, roundTripMs: 80 })
})

it.each([
  ['all comes in', { received: 200, lost: 0 }, false],
  ['a little is lost', { received: 195, lost: 5 }, false],
  ['much is lost', { received: 180, lost: 20 }, true],
  ['nothing comes in', { received: 100, lost: 0 }, true],
  ['it takes long', { received: 200, lost: 0, roundTripMs: 700 }, true],
  ['there are too few packets to say', { received: 104, lost: 1 }, false],
])('when %s', (_, now, poor) => {
  expect(isPoor({ received: 100, lost: 0 }, now)).toBe(poor)
})
