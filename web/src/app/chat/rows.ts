/** A timeline and what is on its way there, as the rows of a chat. */
import type { Content, OutboxEntry, TimelineEvent } from '../../engine'
import { isNotice } from './notices'
import { dayOf } from './times'

interface RowBase {
  key: string
  ts: number
  from: string
  /** A day begins with it. */
  beginsDay: boolean
  /** What the user has not read begins with it. */
  beginsUnread: boolean
}

export interface MessageRow extends RowBase {
  kind: 'message'
  /** Its place; none while it is on its way. */
  seq: number | undefined
  text: string
  /** What it says beside its text, as far as this device knows. */
  content: Content
  /** Whether it is sent on and what it says is not here yet. */
  isForward: boolean
  edited: boolean
  event: TimelineEvent | undefined
  entry: OutboxEntry | undefined
  /** Whether it is the first, or the last, of several that its sender wrote one after the other. */
  isFirst: boolean
  isLast: boolean
}

export interface NoticeRow extends RowBase {
  kind: 'notice'
  seq: number
  event: TimelineEvent
}

/** What stands before all else: where the conversation begins, or that there is more. */
export interface StartRow extends RowBase {
  kind: 'start'
  hasOlder: boolean
}

/** Here events are missing, which are fetched when it comes into sight. */
export interface GapRow extends RowBase {
  kind: 'gap'
}

export type Row = MessageRow | NoticeRow | StartRow | GapRow

/** The row of an event, if it is one. */
export function eventOfRow(row: Row): TimelineEvent | undefined {
  return row.kind === 'message' || row.kind === 'notice' ? row.event : undefined
}

/** Messages so far apart are not of one piece, in milliseconds. */
const PIECE_MS = 5 * 60_000

export class RowMaker {
  /** Rows of before, so that those that are the same stay the same objects and are not drawn again. */
  #known = new Map<string, Row>()

  constructor(private readonly me: string) {}

  make(events: readonly TimelineEvent[], pending: readonly OutboxEntry[], unreadAfter: number | undefined, hasOlder = false, gapAfter?: number): Row[] {
    const rows: Row[] = [{ key: 'start', kind: 'start', hasOlder, ts: 0, from: '', beginsDay: false, beginsUnread: false }]
    const written = new Set<string>()
    for (const event of events) {
      if (event.from === this.me && event.clientMsgId !== undefined) written.add(event.clientMsgId)
      const row = this.#rowOf(event)
      if (row) rows.push(row)
      if (event.seq === gapAfter) rows.push({ key: `gap ${gapAfter}`, kind: 'gap', ts: 0, from: '', beginsDay: false, beginsUnread: false })
    }
    for (const entry of pending) if (!written.has(entry.clientMsgId)) rows.push(rowOfEntry(entry, this.me))
    this.#place(rows, unreadAfter)
    const known = new Map<string, Row>()
    for (let index = 0; index < rows.length; index += 1) {
      const row = rows[index]!
      const before = this.#known.get(row.key)
      if (before && isSame(before, row)) rows[index] = before
      known.set(row.key, rows[index]!)
    }
    this.#known = known
    return rows
  }

  #rowOf(event: TimelineEvent): Row | undefined {
    const { seq, from, ts, what, clientMsgId } = event
    const base = { ts, from, beginsDay: false, beginsUnread: false }
    const key = from === this.me && clientMsgId !== undefined ? `own ${clientMsgId}` : `at ${seq}`
    if (what.kind === 'message' && !what.recalled) {
      return { ...base, key, kind: 'message', seq, text: what.body, content: what, isForward: false, edited: what.edited, event, entry: undefined, isFirst: true, isLast: true }
    }
    if (what.kind === 'change' && !isNotice(what.change)) return undefined
    return { ...base, key, kind: 'notice', seq, event }
  }

  /** Says of each row where it stands among its neighbours. */
  #place(rows: Row[], unreadAfter: number | undefined): void {
    let isUnreadMarked = unreadAfter === undefined
    for (let index = 1; index < rows.length; index += 1) {
      const row = rows[index]!
      const before = rows[index - 1]
      if (row.kind === 'gap') continue
      row.beginsDay = before?.kind === 'start' || before?.kind === 'gap' || dayOf(before!.ts) !== dayOf(row.ts)
      if (!isUnreadMarked && row.kind === 'message' && row.from !== this.me && (row.seq ?? 0) > unreadAfter!) {
        row.beginsUnread = true
        isUnreadMarked = true
      }
      if (row.kind !== 'message' || before?.kind !== 'message') continue
      const follows = before.from === row.from && row.ts - before.ts < PIECE_MS && !row.beginsDay && !row.beginsUnread
      row.isFirst = !follows
      before.isLast = !follows
    }
  }
}

function rowOfEntry(entry: OutboxEntry, me: string): MessageRow {
  const { clientMsgId, createdTs, request } = entry
  const chat = request.type === 'SINGLE_CHAT' || request.type === 'GROUP_CHAT' ? request : undefined
  const content = contentOf(chat)
  return { key: `own ${clientMsgId}`, kind: 'message', ts: createdTs, from: me, seq: undefined, text: chat?.body ?? '', content, isForward: chat?.forward !== undefined, edited: false, event: undefined, entry, beginsDay: false, beginsUnread: false, isFirst: true, isLast: true }
}

/** Whom it quotes is known when it comes back; until then the place is enough. */
function contentOf(request: Extract<OutboxEntry['request'], { type: 'SINGLE_CHAT' | 'GROUP_CHAT' }> | undefined): Content {
  const { msgType, location, custom, replyTo } = request ?? {}
  return {
    ...(msgType === undefined || msgType === 'TEXT' ? {} : { msgType }),
    ...(location === undefined ? {} : { location }),
    ...(custom === undefined ? {} : { custom }),
    ...(replyTo === undefined ? {} : { replyTo: { msgSeq: replyTo, from: '' } }),
  }
}

function isSame(one: Row, other: Row): boolean {
  if (one.kind === 'start' || other.kind === 'start') return one.kind === other.kind && (one as StartRow).hasOlder === (other as StartRow).hasOlder
  if (one.kind === 'gap' || other.kind === 'gap') return one.kind === other.kind
  if (one.kind !== other.kind || one.event !== other.event || one.beginsDay !== other.beginsDay || one.beginsUnread !== other.beginsUnread) return false
  if (one.kind === 'notice' || other.kind === 'notice') return true
  return one.entry === other.entry && one.isFirst === other.isFirst && one.isLast === other.isLast
}
