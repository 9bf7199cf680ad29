import { expect, it } from 'vitest'
import { TestClock } from '../../engine/testing/clock'
import { isPoor, QualityWatch, sampleOf } from './quality'

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

function watching() {
  const clock = new TestClock()
  const line = { received: 0, perSample: 100 }
  const told: boolean[] = []
  const stats = () => Promise.resolve([{ type: 'inbound-rtp', packetsReceived: (line.received += line.perSample), packetsLost: 0 }])
  return { clock, line, told, watch: new QualityWatch({ clock, stats, onMeasured: (isPoor) => told.push(isPoor) }) }
}

it('compares each measurement with the one before, until it is stopped', async () => {
  const { clock, line, told, watch } = watching()
  watch.start()
  await clock.pass(4_000)
  expect(told).toEqual([false])
  line.perSample = 0
  await clock.pass(2_000)
  expect(told).toEqual([false, true])
  watch.stop()
  await clock.pass(60_000)
  expect(told).toEqual([false, true])
})

it('what is measured for a watch that was begun anew is not compared with what was before', async () => {
  const { clock, line, told, watch } = watching()
  watch.start()
  await clock.pass(2_000)
  line.received = 0
  watch.start()
  await clock.pass(2_000)
  expect(told).toEqual([])
  await clock.pass(2_000)
  expect(told).toEqual([false])
})

it('what is still being measured when it is stopped is of no interest', async () => {
  const clock = new TestClock()
  const told: boolean[] = []
  let measured: ((report: Record<string, unknown>[]) => void) | undefined
  const watch = new QualityWatch({ clock, stats: () => new Promise((resolve) => (measured = resolve)), onMeasured: (isPoor) => told.push(isPoor) })
  watch.start()
  await clock.pass(2_000)
  watch.stop()
  measured!([])
  await clock.pass(0)
  measured = undefined
  await clock.pass(60_000)
  expect([measured, told]).toEqual([undefined, []])
})
