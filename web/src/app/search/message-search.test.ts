import { expect, it } from 'vitest'
import type { Found } from '../../engine/wire/search'
import { MessageSearch, type Wanted } from './message-search'

interface Question {
  wanted: Wanted
  cursor: string | undefined
  signal: AbortSignal
  answer: (found: Found) => void
  fail: (error: unknown) => void
}

function begin() {
  const questions: Question[] = []
  const search = new MessageSearch((wanted, cursor, signal) => new Promise((answer, fail) => questions.push({ wanted, cursor, signal, answer, fail })))
  return { search, questions }
}

const turn = () => new Promise((resolve) => setTimeout(resolve))

function found(seqs: number[], more: Partial<Found> = {}): Found {
  const hits = seqs.map((msgSeq) => ({ conversationId: '7', msgSeq, serverMsgId: `${msgSeq}`, from: '1', msgType: 'TEXT', ts: msgSeq, excerpt: { text: 'x' } }))
  return { hits, indexedUpTo: '9', behind: 0, ...more }
}

const placesOf = (search: MessageSearch) => search.hits.value.map(({ msgSeq }) => msgSeq)

it('asks for nothing without words and kind', async () => {
  const { search, questions } = begin()
  await search.look({ q: '  ' })
  expect(questions).toEqual([])
  expect(search.state.value).toBe('idle')
  void search.look({ q: ' ', msgType: 'IMAGE' })
  expect(questions).toHaveLength(1)
})

it('shows what belongs to the last words, whatever is answered when', async () => {
  const { search, questions } = begin()
  void search.look({ q: 'har' })
  void search.look({ q: 'harbour' })
  expect(questions[0]!.signal.aborted).toBe(true)
  questions[1]!.answer(found([5]))
  await turn()
  questions[0]!.answer(found([1, 2]))
  await turn()
  expect(placesOf(search)).toEqual([5])
})

it('goes on where the page before ended, and stops at the end', async () => {
  const { search, questions } = begin()
  void search.look({ q: 'harbour', conversationId: '7' })
  questions[0]!.answer(found([5, 4], { cursor: 'c' }))
  await turn()
  expect(search.hasMore.value).toBe(true)
  void search.more()
  void search.more()
  expect(questions).toHaveLength(2)
  expect(questions[1]).toMatchObject({ cursor: 'c', wanted: { q: 'harbour', conversationId: '7' } })
  questions[1]!.answer(found([3]))
  await turn()
  expect(placesOf(search)).toEqual([5, 4, 3])
  await search.more()
  expect(questions).toHaveLength(2)
})

it('says how far the server is, and why there is no answer; asks again', async () => {
  const { search, questions } = begin()
  void search.look({ q: 'harbour' })
  questions[0]!.fail({ reason: 'search_too_broad' })
  await turn()
  expect(search.state.value).toBe('failed')
  expect(search.problem.value).toEqual({ reason: 'search_too_broad' })
  void search.more()
  questions[1]!.answer(found([], { behind: 12 }))
  await turn()
  expect(search.state.value).toBe('done')
  expect(search.problem.value).toBeUndefined()
  expect(search.behind.value).toBe(12)
})
