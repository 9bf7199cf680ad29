import { expect, it } from 'vitest'
import { Notices } from './notices'
import { applyPatch, emptyView } from './view'
import { decode, type ServerFrame } from './wire/codec'

function begin() {
  const view = emptyView()
  const notices = new Notices((patch) => applyPatch(view, patch))
  const receive = (frame: object) => notices.receive(decode(JSON.stringify(frame)) as Extract<ServerFrame, { type: 'NOTICE' | 'NOTICE_WITHDRAWN' }>)
  return { view, receive }
}

it('a notice is shown once, however often it comes, until it is withdrawn', () => {
  const { view, receive } = begin()
  const notice = { type: 'NOTICE', noticeId: 7, text: 'The server restarts at six.', ts: 1, untilTs: 9 }
  receive(notice)
  receive(notice)
  receive({ type: 'NOTICE', noticeId: '8', text: 'Welcome.', ts: 2 })
  expect(view.notices).toEqual([{ noticeId: '7', text: 'The server restarts at six.', ts: 1, untilTs: 9 }, { noticeId: '8', text: 'Welcome.', ts: 2 }])
  receive({ type: 'NOTICE_WITHDRAWN', noticeId: '7' })
  receive({ type: 'NOTICE_WITHDRAWN', noticeId: '7' })
  expect(view.notices.map(({ noticeId }) => noticeId)).toEqual(['8'])
})

it('another session shows what it is told, and nothing of before', () => {
  const { view, receive } = begin()
  receive({ type: 'NOTICE', noticeId: '7', text: 'once', ts: 1 })
  new Notices((patch) => applyPatch(view, patch))
  expect(view.notices).toEqual([])
})
