/**
 * A device's copy of one conversation: where it is complete, and what follows from its events.
 *
 * Everything here is a consequence of docs/protocol.md, "Catching up"; it does no I/O and
 * decides nothing about when to pull.
 */
import { contactsAfter, isOfOneself, NO_CONTACTS, withContacts, type ContactsKnowledge } from './contacts'
import { amended, amendmentOf, eventOf, isMention, isMessage, type Amendment, type TimelineEvent } from './event'
import { changed, created, isOfGroups, joins, parts, withPage, type GroupKnowledge } from './group'
import { isHidden, withHiding, type Hiding } from './hidden'
import type { Knowledge } from './knowledge'
import { NO_PINS, pinsAfter, pinsOf } from './pins'
import { hasUntold, requestsAfter, withRequests, type RequestsKnowledge } from './requests'
import type { Step } from './step'
import type { ConversationKind, ConversationRecord, Cursors } from './storage/records'
import { indexFrom } from './window'
import type { Change } from './wire/change'
import type { AnySyncConversation, EventsFrame } from './wire/codec'
import type { ContactState, ConversationSettings, ConversationState, GroupRequestState } from './wire/protocol'

/** The most changes that are kept for messages which may be on their way here. */
const AMENDMENTS_MAX = 1_000

/** Messages that are unread, and how many of them name the user or everybody. */
interface Unread {
  messages: number
  mentions: number
}

const NONE: Unread = { messages: 0, mentions: 0 }

export class Timeline {
  /** Changes of messages that are not in memory, for a page that was asked for before. */
  readonly #amendments = new Map<number, Amendment[]>()
  /** Those before the first event in memory. */
  #unreadBefore: Unread

  constructor(
    readonly record: ConversationRecord,
    private readonly user: string,
    /** The last events of the copy, in order. There may be more on disk. */
    readonly events: TimelineEvent[] = [],
  ) {
    const { unread: messages, unreadMentions: mentions } = record
    this.#unreadBefore = less({ messages, mentions }, this.#countAfter(this.read))
  }

  static begin(conversationId: string, user: string, kind: ConversationKind): Timeline {
    return new Timeline(newRecord(conversationId, kind), user)
  }

  get id(): string {
    return this.record.conversationId
  }

  /** How far the user has read, as far as this device knows. */
  get read(): number {
    return Math.max(this.record.own.read, this.record.readHere)
  }

  /** Whether there is something to pull. */
  get isBehind(): boolean {
    const { position, wanted, head } = this.record
    return position === null ? head > 0 : wanted > position
  }

  /** Whether the members should be asked for before anybody is shown them. */
  get wantsGroup(): boolean {
    const { kind, present, group } = this.record
    return kind === 'group' && present && group.kind !== 'known'
  }

  /** Whether it should be asked for what is pinned, before it is shown. */
  get wantsPins(): boolean {
    const { kind, present, position, pins } = this.record
    return (kind === 'single' || kind === 'group') && present && position !== null && pins === undefined
  }

  /** What is pinned, the last at the end; nothing while that is not known. */
  get pins(): number[] | undefined {
    const { pins, hidden, trimmedBefore } = this.record
    return pins?.seqs.filter((seq) => seq >= trimmedBefore && !isHidden(hidden, seq))
  }

  /** Whether those who wait to be let in should be asked for: they are told to those who decide. */
  get wantsRequests(): boolean {
    const { kind, present, group, requests } = this.record
    if (kind !== 'group' || !present || group.kind !== 'known') return false
    const role = group.state.members[this.user]?.role
    if (role !== 'owner' && role !== 'admin') return false
    return requests.kind !== 'known' || hasUntold(requests.state)
  }

  /** Whether the contacts should be asked for, because not all events that told them are here. */
  get wantsContacts(): boolean {
    const { kind, position, contacts } = this.record
    return kind === 'personal' && position !== null && contacts.kind !== 'known'
  }

  /** The first seq that is in memory. */
  get loadedFrom(): number {
    const first = this.events[0]
    return this.record.from < (first?.seq ?? 0) && this.#hasMoreOnDisk ? first!.seq : this.record.from
  }

  /** Set by who loads from disk: whether events before those in memory are there. */
  #hasMoreOnDisk = false
  set hasMoreOnDisk(value: boolean) {
    this.#hasMoreOnDisk = value
  }
  get hasMoreOnDisk(): boolean {
    return this.#hasMoreOnDisk
  }

  /** Whether older events may be had, from disk or from the server. */
  get hasOlder(): boolean {
    return this.#hasMoreOnDisk || this.record.from > this.floor
  }

  /** Before this seq nothing is to be had: it was trimmed, or the user has deleted it. */
  get floor(): number {
    return Math.max(this.record.trimmedBefore, (this.record.hidden?.upToSeq ?? 0) + 1)
  }

  find(seq: number): TimelineEvent | undefined {
    const event = this.events[indexFrom(this.events, seq)]
    return event?.seq === seq ? event : undefined
  }

  /** There are events up to here. `pull` says whether this device wants them. */
  hear(step: Step, head: number, pull = true): void {
    const { record } = this
    record.head = Math.max(record.head, head)
    if (pull) record.wanted = Math.max(record.wanted, head)
    step.touch(this.id)
  }

  /** An event came in by itself: it is next, known, or beyond a hole. */
  place(step: Step, event: TimelineEvent): void {
    const { record } = this
    this.hear(step, event.seq)
    if (record.position === null && event.seq === 1) {
      this.#base(1)
    }
    if (record.position !== null && event.seq === record.position + 1) this.#append(step, event)
    this.#count(step)
  }

  /**
   * The answer to a pull after the position. `asked` is what was wanted when it was sent: what
   * was wanted then and is not covered by a complete answer is not to be had.
   */
  cover(step: Step, answer: EventsFrame, asked: number): void {
    const { record } = this
    if (record.position === null) return
    this.hear(step, answer.headSeq, false)
    record.trimmedBefore = Math.max(record.trimmedBefore, answer.trimmedBefore)
    if (answer.trimmedBefore > record.position + 1) this.#loseBefore(step, answer.trimmedBefore)
    if (answer.fromSeq > record.position + 1) return
    for (const frame of answer.events) {
      if (frame.msgSeq > record.position) this.#append(step, eventOf(frame))
    }
    record.position = Math.max(record.position, answer.toSeq)
    if (!answer.hasMore && record.wanted <= asked) record.wanted = record.position
    record.wanted = Math.max(record.wanted, record.position)
    this.#count(step)
  }

  /** The last page, for a copy that has no base yet. */
  begin(step: Step, answer: EventsFrame): void {
    const { record } = this
    if (record.position !== null) return
    this.hear(step, answer.headSeq, false)
    record.trimmedBefore = Math.max(record.trimmedBefore, answer.trimmedBefore)
    this.#base(answer.fromSeq)
    for (const frame of answer.events) this.#append(step, eventOf(frame))
    record.position = answer.toSeq
    // Where the answer ends is where the timeline ended when it was given.
    record.wanted = Math.max(record.wanted, record.position)
    this.#count(step)
  }

  /** A page before the copy, from the server. One that does not reach it is of no use. */
  older(step: Step, answer: EventsFrame): void {
    const { record } = this
    if (record.position === null || answer.toSeq < record.from - 1) return
    record.trimmedBefore = Math.max(record.trimmedBefore, answer.trimmedBefore)
    const events = answer.events.filter((frame) => frame.msgSeq < record.from).map(eventOf)
    for (const event of this.#prepend(step, events)) step.batch.events.push(event)
    record.from = Math.max(record.trimmedBefore, Math.min(record.from, answer.fromSeq))
    step.touch(this.id)
    this.#count(step)
  }

  /** A page before what is in memory, from disk. `wanted` is how many were asked for. */
  recover(step: Step, events: TimelineEvent[], wanted: number): void {
    const first = this.events[0]?.seq ?? Infinity
    this.#hasMoreOnDisk = events.length === wanted
    this.#prepend(
      step,
      events.filter(({ seq }) => seq < first && seq >= this.record.from),
    )
    step.touch(this.id)
    this.#count(step)
  }

  /** Lets go of all but the last events in memory. They must be on disk. */
  shrink(kept: number): void {
    const excess = this.events.length - kept
    if (excess <= 0 || this.read < (this.events[excess]?.seq ?? 0) - 1) return
    this.events.splice(0, excess)
    this.#hasMoreOnDisk = true
    this.#unreadBefore = NONE
  }

  /** The server's word on the conversation in a sync. */
  takeSync(step: Step, state: AnySyncConversation, pull: boolean): void {
    const { record } = this
    this.hear(step, state.headSeq, pull)
    if (record.kind === 'unknown' && state.kind !== 'unknown') record.kind = state.kind
    if (state.peer !== undefined) record.peer = state.peer
    if (state.headSeq >= record.summarySeq) {
      record.summarySeq = state.headSeq
      record.title = state.title ?? record.title
      record.memberCount = state.memberCount ?? record.memberCount
      record.ts = Math.max(record.ts, state.ts)
    }
    record.present = state.left !== true
    this.settle(step, state.settings)
    record.own = furthest(record.own, { delivered: state.deliveredSeq, read: state.readSeq })
    record.peerCursors = furthest(record.peerCursors, {
      delivered: state.peerDeliveredSeq ?? 0,
      read: state.peerReadSeq ?? 0,
    })
    const { headSeq, readSeq } = state
    record.anchor = { headSeq, readSeq, unread: state.unread, unreadMentions: state.unreadMentions ?? 0 }
    this.#count(step)
  }

  /**
   * A page of the members, asked for when `asked` was known. If something else is known by
   * now, the page may not follow on it.
   */
  takeState(step: Step, page: ConversationState, asked: GroupKnowledge): void {
    const { record } = this
    if (record.group !== asked || record.position === null) return
    if (asked.kind === 'unknown') this.takePins(step, page)
    record.group = this.#replayed(withPage(asked, page), (state, { seq, from }, change) =>
      changed(state, seq, from, change),
    )
    step.touch(this.id)
    this.#summarise()
  }

  /** What is pinned, if that is not known. */
  takePins(step: Step, page: ConversationState): void {
    const { record } = this
    if (record.pins !== undefined || record.position === null) return
    const pins = this.#replayed({ kind: 'known', state: pinsOf(page) }, (state, { seq }, change) => pinsAfter(state, seq, change))
    if (pins.kind === 'known') record.pins = pins.state
    step.touch(this.id)
  }

  /** A page of those who wait to be let in, as in {@link takeState}. */
  takeRequests(step: Step, page: GroupRequestState, asked: RequestsKnowledge): void {
    const { record } = this
    if (record.requests !== asked || record.position === null) return
    record.requests = this.#replayed(withRequests(asked, page), requestsAfter)
    step.touch(this.id)
  }

  /** A page of the contacts, as in {@link takeState}. */
  takeContacts(step: Step, page: ContactState, asked: ContactsKnowledge): void {
    const { record } = this
    if (record.contacts !== asked || record.position === null) return
    record.contacts = this.#replayed(withContacts(asked, page), (state, { seq }, change) =>
      contactsAfter(state, seq, change),
    )
    step.touch(this.id)
  }

  /** The user has deleted something of it, here or on another device. */
  hide(step: Step, what: Hiding): void {
    const { record } = this
    const hidden = withHiding(record.hidden, what)
    if (!hidden) return
    const isCleared = hidden.upToSeq > (record.hidden?.upToSeq ?? 0)
    record.hidden = hidden
    if (isCleared) this.#clear(step, hidden.upToSeq)
    const seqs = (what.msgSeqs ?? []).filter((seq) => seq > hidden.upToSeq)
    // What is unread and not here is in a number that only the server can set right.
    if (seqs.some((seq) => seq > this.read && (record.anchor !== undefined || !this.find(seq)))) step.miscounted = true
    for (const seq of seqs) if (this.find(seq)) this.events.splice(indexFrom(this.events, seq), 1)
    step.hide(this.id, seqs)
    step.touch(this.id)
    this.#count(step)
  }

  /** What the conversation is to the user, from now on. */
  settle(step: Step, settings: ConversationSettings | undefined): void {
    if (settings === undefined) delete this.record.ownSettings
    else this.record.ownSettings = settings
    step.touch(this.id)
  }

  /** A cursor moved: the user's, or, in a single chat, the peer's. */
  moveCursor(step: Step, from: string, cursor: 'delivered' | 'read', seq: number): void {
    const { record } = this
    const moved = { delivered: seq, read: cursor === 'read' ? seq : 0 }
    if (from === this.user) record.own = furthest(record.own, moved)
    else if (record.kind === 'single') record.peerCursors = furthest(record.peerCursors, moved)
    step.touch(this.id)
    this.#count(step)
  }

  /** The user has seen everything up to here. Returns whether that is news. */
  markRead(step: Step, seq: number): boolean {
    const { record } = this
    const reached = Math.min(seq, record.position ?? 0)
    if (reached <= this.read) return false
    record.readHere = reached
    step.touch(this.id)
    this.#count(step)
    return true
  }

  /** Begins anew at the end, because too much was missed to read all of it. */
  restart(step: Step): void {
    const { record } = this
    this.#dropBefore(step, Infinity)
    record.position = null
    record.from = 1
    this.#forgetStates()
    step.touch(this.id)
  }

  /** The copy begins here. From the first event on, contacts and pins follow from the events. */
  #base(from: number): void {
    const { record } = this
    record.from = from
    record.position = from - 1
    if (from !== 1) return
    record.contacts = { kind: 'known', state: NO_CONTACTS }
    record.pins = NO_PINS
  }

  /** A state that was just completed, with what happened since. */
  #replayed<S extends { asOfSeq: number }, P>(
    knowledge: Knowledge<S, P>,
    apply: (state: S, event: TimelineEvent, change: Change) => S,
  ): Knowledge<S, P> {
    if (knowledge.kind !== 'known') return knowledge
    let { state } = knowledge
    // What happened since must be here, or the state has a hole before it begins.
    const { asOfSeq } = state
    if ((this.record.position ?? 0) > asOfSeq && this.loadedFrom > asOfSeq + 1) return { kind: 'unknown' }
    for (const event of this.events.slice(indexFrom(this.events, asOfSeq + 1))) {
      if (event.what.kind !== 'change') continue
      if (joins(this.user, event.from, event.what.change)) return { kind: 'unknown' }
      state = apply(state, event, event.what.change)
    }
    return { kind: 'known', state }
  }

  /** Events are missing that what was known would have to follow. */
  #forgetStates(): void {
    const { record } = this
    record.group = { kind: 'unknown' }
    record.requests = { kind: 'unknown' }
    record.contacts = { kind: 'unknown' }
    delete record.pins
    delete record.settings
  }

  /**
   * Everything up to here is deleted for the user. Events among that may have been passed over
   * by this device, and changes of the group with them.
   */
  #clear(step: Step, upToSeq: number): void {
    const { record } = this
    this.#dropBefore(step, upToSeq + 1)
    if (record.position !== null) record.from = Math.max(record.from, Math.min(upToSeq, record.position) + 1)
    record.own = furthest(record.own, { delivered: upToSeq, read: upToSeq })
    record.group = { kind: 'unknown' }
    record.requests = { kind: 'unknown' }
    delete record.pins
  }

  /** Takes an event that its sender has the ack of. */
  #append(step: Step, event: TimelineEvent): void {
    const { record } = this
    record.position = event.seq
    record.wanted = Math.max(record.wanted, event.seq)
    record.head = Math.max(record.head, event.seq)
    record.ts = Math.max(record.ts, event.ts)
    const { what } = event
    if (what.kind === 'change') this.#change(step, event, what.change)
    else this.#say(event)
    step.touch(this.id)
    if (isHidden(record.hidden, event.seq)) return
    this.events.push(event)
    step.put(event)
  }

  #say({ from, seq, what }: TimelineEvent): void {
    const { record } = this
    // Whoever calls need not have read what was said before.
    if (what.kind === 'message' && what.call) return
    const moved = { delivered: seq, read: seq }
    if (from === this.user) record.own = furthest(record.own, moved)
    else if (record.kind === 'single') record.peerCursors = furthest(record.peerCursors, moved)
  }

  #change(step: Step, { seq, from, ts }: TimelineEvent, change: Change): void {
    const amendment = amendmentOf(seq, from, change)
    if (amendment) this.#amend(step, amendment)
    if (isOfOneself(change)) this.#changeOwn(seq, change)
    if (isOfGroups(change)) this.#changeGroup(step, { seq, from, ts }, change)
    const { record } = this
    if (record.pins) record.pins = pinsAfter(record.pins, seq, change)
  }

  /** Something that concerns the user alone. */
  #changeOwn(seq: number, change: Change): void {
    const { record } = this
    record.kind = 'personal'
    if (change.kind === 'settingsChanged') record.settings = change.settings
    if (record.contacts.kind === 'known') {
      record.contacts = { kind: 'known', state: contactsAfter(record.contacts.state, seq, change) }
    }
  }

  #changeGroup(step: Step, { seq, from, ts }: Pick<TimelineEvent, 'seq' | 'from' | 'ts'>, change: Change): void {
    const { record } = this
    const comes = joins(this.user, from, change)
    record.kind = 'group'
    if (comes) {
      // What became of earlier messages meanwhile is hidden; they are pulled once more.
      if (seq > record.from) this.#dropBefore(step, seq)
      record.from = Math.max(record.from, change.kind === 'groupCreated' ? 1 : seq)
      record.own = furthest(record.own, { delivered: seq, read: seq })
      record.present = true
      if (record.pins && record.pins.asOfSeq < seq && change.kind !== 'groupCreated') delete record.pins
    }
    if (change.kind === 'groupCreated') {
      record.group = { kind: 'known', state: created(seq, from, change) }
      record.requests = { kind: 'known', state: { asOfSeq: seq, waiting: {} } }
    } else if (record.group.kind === 'known') {
      record.group =
        comes && record.group.state.asOfSeq < seq
          ? { kind: 'unknown' }
          : { kind: 'known', state: changed(record.group.state, seq, from, change) }
    }
    if (record.requests.kind === 'known') {
      record.requests =
        comes && record.requests.state.asOfSeq < seq
          ? { kind: 'unknown' }
          : { kind: 'known', state: requestsAfter(record.requests.state, { seq, from, ts }, change) }
    }
    if (parts(this.user, from, change)) record.present = false
    if (seq > record.summarySeq) {
      record.summarySeq = seq
      if (change.kind === 'titleChanged' || change.kind === 'groupCreated') {
        record.title = change.title
      }
      this.#summarise()
    }
  }

  /** Takes title and number of members from what is known of the group. */
  #summarise(): void {
    const { record } = this
    if (record.group.kind !== 'known' || record.group.state.asOfSeq < record.summarySeq) return
    record.title = record.group.state.title
    record.memberCount = Object.keys(record.group.state.members).length
  }

  #amend(step: Step, amendment: Amendment): void {
    step.amend(this.id, amendment)
    const index = indexFrom(this.events, amendment.targetSeq)
    const target = this.events[index]
    if (target?.seq !== amendment.targetSeq) {
      if (this.#amendments.size < AMENDMENTS_MAX) {
        this.#amendments.set(amendment.targetSeq, [...(this.#amendments.get(amendment.targetSeq) ?? []), amendment])
      }
      if (this.#mayUnname(amendment)) step.miscounted = true
      return
    }
    const next = amended(target, amendment)
    if (next === target) return
    this.events[index] = next
    step.show(next)
  }

  /**
   * Whether a message that is not in memory may have named the user until now. What the server
   * has counted already is right.
   */
  #mayUnname({ targetSeq, seq, body }: Amendment): boolean {
    const isCounted = this.record.anchor !== undefined && seq <= this.record.anchor.headSeq
    return body === undefined && targetSeq > this.read && this.#unreadBefore.mentions > 0 && !isCounted
  }

  #prepend(step: Step, events: TimelineEvent[]): TimelineEvent[] {
    const { hidden } = this.record
    const current = events.filter(({ seq }) => !isHidden(hidden, seq)).map((event) => (this.#amendments.get(event.seq) ?? []).reduce(amended, event))
    this.events.unshift(...current)
    for (const event of current) step.show(event)
    const unread = current.filter(({ seq }) => seq > this.read)
    this.#unreadBefore = less(this.#unreadBefore, this.#countOf(unread))
    return current
  }

  /** Events before a seq are gone for good, and this device has missed some. */
  #loseBefore(step: Step, seq: number): void {
    const { record } = this
    this.#dropBefore(step, seq)
    record.position = Math.max(record.position ?? 0, seq - 1)
    record.from = Math.max(record.from, seq)
    this.#forgetStates()
  }

  #dropBefore(step: Step, seq: number): void {
    this.events.splice(0, indexFrom(this.events, seq))
    this.#hasMoreOnDisk = false
    this.#unreadBefore = NONE
    step.forgetBefore(this.id, seq)
    const shown = step.shown.get(this.id)
    if (shown) step.shown.set(this.id, shown.filter((event) => event.seq >= seq))
  }

  #countAfter(seq: number, upTo = Infinity): Unread {
    const end = upTo === Infinity ? this.events.length : indexFrom(this.events, upTo + 1)
    return this.#countOf(this.events.slice(indexFrom(this.events, seq + 1), end))
  }

  #countOf(events: TimelineEvent[]): Unread {
    return {
      messages: events.filter(isMessage).length,
      mentions: events.filter((event) => isMention(event, this.user)).length,
    }
  }

  /** Brings the unread messages up to date. */
  #count(step: Step): void {
    const { record } = this
    const { anchor, position } = record
    if (anchor && this.read >= anchor.headSeq) {
      delete record.anchor
      this.#unreadBefore = NONE
    } else if (anchor && (position === null || position < anchor.headSeq)) {
      record.unread = anchor.unread
      record.unreadMentions = anchor.unreadMentions
      return
    } else if (anchor) {
      delete record.anchor
      const held = this.#countAfter(anchor.readSeq, anchor.headSeq)
      const { unread: messages, unreadMentions: mentions } = anchor
      this.#unreadBefore = less({ messages, mentions }, held)
    }
    if (this.read >= this.loadedFrom - 1) this.#unreadBefore = NONE
    const { messages, mentions } = this.#countAfter(this.read)
    record.unread = this.#unreadBefore.messages + messages
    record.unreadMentions = this.#unreadBefore.mentions + mentions
    step.touch(this.id)
  }
}

function less(one: Unread, other: Unread): Unread {
  return {
    messages: Math.max(0, one.messages - other.messages),
    mentions: Math.max(0, one.mentions - other.mentions),
  }
}

function furthest(one: Cursors, other: Cursors): Cursors {
  return {
    delivered: Math.max(one.delivered, other.delivered, other.read),
    read: Math.max(one.read, other.read),
  }
}

function newRecord(conversationId: string, kind: ConversationKind): ConversationRecord {
  return {
    conversationId,
    kind,
    summarySeq: 0,
    present: true,
    position: null,
    from: 1,
    trimmedBefore: 1,
    head: 0,
    wanted: 0,
    own: { delivered: 0, read: 0 },
    peerCursors: { delivered: 0, read: 0 },
    readHere: 0,
    unread: 0,
    unreadMentions: 0,
    group: { kind: 'unknown' },
    requests: { kind: 'unknown' },
    contacts: { kind: 'unknown' },
    ts: 0,
  }
}
