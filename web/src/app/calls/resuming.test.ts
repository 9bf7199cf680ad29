/** What becomes of a call when one of the two has lost its session with the server. */
import { expect, it } from 'vitest'
import { TestClock } from '../../engine/testing/clock'
import { Resuming } from './resuming'

function begin(isOnline = false) {
  const clock = new TestClock()
  const done: string[] = []
  const attempts: number[] = []
  const world = { isOnline }
  const resuming = new Resuming({
    clock,
    isOnline: () => world.isOnline,
    connect: () => attempts.push(clock.now()),
    redial: () => done.push('redial'),
    giveUp: ({ reason }) => done.push(`over: ${reason}`),
  })
  return { attempts, clock, done, world, resuming }
}

it('whoever comes back calls, once there is a session', async () => {
  const { clock, done, world, resuming } = begin()
  expect(resuming.takes({ reason: 'lost' }, true)).toBe(true)
  await clock.pass(5_000)
  expect(done).toEqual([])
  world.isOnline = true
  resuming.online()
  expect(done).toEqual(['redial'])
  resuming.stop()
  await clock.pass(60_000)
  expect([done, resuming.isWaiting]).toEqual([['redial'], false])
})

it('asks for a session more often than others do, as long as there is none', async () => {
  const { attempts, clock, world, resuming } = begin()
  resuming.takes({ reason: 'lost' }, true)
  await clock.pass(6_000)
  expect(attempts).toHaveLength(3)
  world.isOnline = true
  await clock.pass(60_000)
  expect(attempts).toHaveLength(3)
})

it('whose session stands waits to be called', async () => {
  const { clock, done, resuming } = begin(true)
  expect(resuming.takes({ reason: 'disconnected' }, true)).toBe(true)
  await clock.pass(29_999)
  expect(done).toEqual([])
  await clock.pass(1)
  expect([done, resuming.isWaiting]).toEqual([['over: disconnected'], false])
})

it('tries again while the server still has the first call, but not beyond its time', async () => {
  const { clock, done, resuming } = begin(true)
  resuming.takes({ reason: 'lost' }, true)
  await clock.pass(1_000)
  expect(resuming.takes({ reason: 'in_call' }, true)).toBe(true)
  await clock.pass(1_000)
  expect(done).toEqual(['redial', 'redial'])
  await clock.pass(28_000)
  expect(done).toEqual(['redial', 'redial', 'over: lost'])
})

it('of two who both come back, the one whose call does not go on waits for the other', async () => {
  const { clock, done, resuming } = begin(true)
  resuming.takes({ reason: 'lost' }, true)
  await clock.pass(1_000)
  expect(resuming.takes({ reason: 'glare' }, true)).toBe(true)
  await clock.pass(10_000)
  expect(done).toEqual(['redial'])
})

it.each([
  ['somebody hangs up', 'hungUp', true],
  ['nobody has talked yet', 'lost', false],
  ['there is no way between the two', 'mediaFailed', true],
])('nothing goes on when %s', (_, reason, wasConnected) => {
  const { resuming } = begin(true)
  expect(resuming.takes({ reason }, wasConnected)).toBe(false)
  expect(resuming.isWaiting).toBe(false)
})

it('nor when the other has hung up meanwhile', () => {
  const { resuming } = begin(true)
  resuming.takes({ reason: 'lost' }, true)
  expect(resuming.takes({ reason: 'rejected' }, true)).toBe(false)
  expect(resuming.isWaiting).toBe(false)
})
