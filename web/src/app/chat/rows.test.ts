import { expect, it } from 'vitest'
import type { OutboxEntry, TimelineEvent } from '../../engine'
import { RowMaker, type Row } from './rows'

const NOON = new Date(2026, 4, 1, 12).getTime()
const ME = '1'

function said(seq: number, from: string, minutes: number, more: Partial<TimelineEvent> = {}): TimelineEvent {
  return { conversationId: '9', seq, row: String(seq), from, ts: NOON + minutes * 60_000, what: { kind: 'message', body: `text ${seq}`, rev: 0, edited: false, recalled: false }, ...more }
}

function waiting(clientMsgId: string): OutboxEntry {
  return { clientMsgId, order: 1, lane: 'user:2', request: { type: 'SINGLE_CHAT', to: '2', body: 'soon' }, createdTs: NOON, state: 'sent' }
}

const shape = (rows: Row[]) => rows.slice(1).map((row) => (row.kind === 'message' ? [row.isFirst, row.isLast] : row.kind))

it('messages of one sender in a row are of one piece, until time, somebody else or a day comes between', () => {
  const rows = new RowMaker(ME).make([said(1, '2', 0), said(2, '2', 1), said(3, '2', 30), said(4, ME, 31), said(5, ME, 60 * 24)], [], undefined)
  expect(shape(rows)).toEqual([[true, false], [false, true], [true, true], [true, true], [true, true]])
  expect(rows.slice(1).map(({ beginsDay }) => beginsDay)).toEqual([true, false, false, false, true])
})

it('the line stands before the first message of another that is unread', () => {
  const rows = new RowMaker(ME).make([said(1, '2', 0), said(2, ME, 1), said(3, '2', 2), said(4, '2', 3)], [], 1)
  expect(rows.map(({ beginsUnread }) => beginsUnread)).toEqual([false, false, false, true, false])
})

it('what was sent keeps its row when it comes back from the server, and is there once', () => {
  const maker = new RowMaker(ME)
  const [, before] = maker.make([], [waiting('a')], undefined)
  const rows = maker.make([said(1, ME, 0, { clientMsgId: 'a' })], [waiting('a')], undefined)
  expect(rows).toHaveLength(2)
  expect(rows[1]!.key).toBe(before!.key)
})

it('rows that have not changed stay the same objects', () => {
  const maker = new RowMaker(ME)
  const events = [said(1, '2', 0), said(2, '2', 30)]
  const before = maker.make(events, [], undefined)
  const after = maker.make([...events, said(3, '2', 31)], [], undefined)
  expect(after[1]).toBe(before[1])
  expect(after[2]).not.toBe(before[2])
})

it('recalled messages and changes of the group are lines, edits and recalls have none of their own', () => {
  const recalled = said(1, '2', 0, { what: { kind: 'message', body: '', rev: 2, edited: false, recalled: true } })
  const recall = said(2, '2', 1, { what: { kind: 'change', change: { kind: 'recalled', targetSeq: 1 }, fallback: '' } })
  const left = said(3, '2', 2, { what: { kind: 'change', change: { kind: 'memberLeft' }, fallback: '' } })
  expect(shape(new RowMaker(ME).make([recalled, recall, left], [], undefined))).toEqual(['notice', 'notice'])
})
