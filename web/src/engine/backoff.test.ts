import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Backoff } from './backoff'

const settings = { baseMs: 500, capMs: 30_000 }

it('waits up to twice as long with each failure, never longer than the cap, never less than asked', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(60_000)), { maxLength: 60 }), (waits) => {
      let fraction = 0
      const backoff = new Backoff(settings, { fraction: () => fraction, uuid: () => '' })
      waits.forEach(([chance, hint], failures) => {
        fraction = chance
        const wait = backoff.next(hint)
        expect(wait).toBeGreaterThanOrEqual(hint)
        expect(wait - hint).toBeLessThan(Math.min(settings.capMs, settings.baseMs * 2 ** failures))
      })
    }),
  )
})

it('begins anew after a good session', () => {
  const backoff = new Backoff(settings, { fraction: () => 0.999, uuid: () => '' })
  for (let failure = 0; failure < 10; failure += 1) backoff.next()
  expect(backoff.next()).toBeGreaterThan(20_000)
  backoff.reset()
  expect(backoff.next()).toBeLessThan(500)
})
