import { expect, it } from 'vitest'
import { AUDIT_ACTIONS, faultsOf, NO_FILTER, wantedOf } from './audit'
import en from './locales/en'

it('a day is meant whole, from its beginning here to the beginning of the next', () => {
  const { fromTs, untilTs } = wantedOf({ ...NO_FILTER, from: '2026-02-28', to: '2026-02-28' })
  expect(fromTs).toBe(new Date(2026, 1, 28).getTime())
  expect(untilTs).toBe(new Date(2026, 2, 1).getTime())
  expect(wantedOf(NO_FILTER)).toEqual({ action: undefined, actor: undefined, user: undefined, group: undefined, fromTs: undefined, untilTs: undefined })
})

it('what can not be asked for is told at its field', () => {
  expect(faultsOf({ ...NO_FILTER, actor: 'ada', user: ' 17 ', from: '2026-01-02', to: '2026-01-02' })).toEqual({ actor: 'notAnId' })
  expect(faultsOf({ ...NO_FILTER, user: '1', group: '2' })).toEqual({ group: 'notBoth' })
  expect(faultsOf({ ...NO_FILTER, from: '2026-01-03', to: '2026-01-02' })).toEqual({ to: 'beforeFrom' })
})

it('every action has words', () => {
  expect(Object.keys(en.actionsDone).sort()).toEqual([...AUDIT_ACTIONS].sort())
})
