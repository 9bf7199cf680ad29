/**
 * A device's copy of one conversation: where it is complete, and what follows from its events.
 *
 * Everything here is a consequence of docs/protocol.md, "Catching up"; it does no I/O and
 * decides nothing about when to pull.
 */
import { isOfOneself, type ContactsKnowledge } from './contacts'
import { furthest, newRecord } from './conversation-record'
import { DerivedStates } from './derived-states'
import { amended, amendmentOf, eventOf, type Amendment, type TimelineEvent } from './event'
import { isOfGroups, joins, parts, type GroupKnowledge } from './group'
import { isHidden, withHiding, type Hidden, type Hiding } from './hidden'
import type { InvitationsKnowledge } from './invitations'
import { hasUntold, type RequestsKnowledge } from './requests'
import type { Step } from './step'
import type { ConversationKind, ConversationRecord } from './storage/records'
import { Unread } from './unread'
import { indexFrom } from './window'
import type { Change } from './wire/change'
import type { AnySyncConversation, EventsFrame } from './wire/codec'
import type { ContactState, ConversationSettings, ConversationState, GroupInvitationState, GroupRequestState } from './wire/protocol'

/** The most changes that are kept for messages which may be on their way here. */
const AMENDMENTS_MAX = 1_000

export class Timeline {
  /** Changes of messages that are not in memory, for a page that was asked for before. */
  readonly #amendments = new Map<number, Amendment[]>()
  readonly #unread: Unread
  readonly #states: DerivedStates

  constructor(
    readonly record: ConversationRecord,
    readonly user: string,
    /** The last events of the copy, in order. There may be more on disk. */
    readonly events: TimelineEvent[] = [],
  ) {
    this.#unread = new Unread(this)
    this.#states = new DerivedStates(this)
  }

  /** `hidden` is what the user had deleted of it before anything of it came here. */
  static begin(conversationId: string, user: string, kind: ConversationKind, hidden?: Hidden): Timeline {
    return new Timeline({ ...newRecord(conversationId, kind), ...(hidden && { hidden }) }, user)
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

  /** The same of the groups into which the user is invited. */
  get wantsInvitations(): boolean {
    const { kind, position, invitations } = this.record
    return kind === 'personal' && position !== null && invitations?.kind !== 'known'
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
    this.#unread.count(step)
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
    this.#unread.count(step)
  }

  /** The copy begins with the first event there is, which is still to come. */
  beginAtStart(step: Step): void {
    if (this.record.position !== null) return
    this.#base(1)
    step.touch(this.id)
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
    this.#unread.count(step)
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
    this.#unread.count(step)
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
    this.#unread.count(step)
  }

  /** Lets go of all but the last events in memory. They must be on disk. */
  shrink(kept: number): void {
    const excess = this.events.length - kept
    if (excess <= 0 || this.read < (this.events[excess]?.seq ?? 0) - 1) return
    this.events.splice(0, excess)
    this.#hasMoreOnDisk = true
    this.#unread.forgetBefore()
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
    this.#unread.count(step)
  }

  /** A page of the members, asked for when `asked` was known. */
  takeState(step: Step, page: ConversationState, asked: GroupKnowledge): void {
    if (this.#states.takeState(page, asked)) step.touch(this.id)
  }

  /** What is pinned, if that is not known. */
  takePins(step: Step, page: ConversationState): void {
    if (this.#states.takePins(page)) step.touch(this.id)
  }

  /** A page of those who wait to be let in, as in {@link takeState}. */
  takeRequests(step: Step, page: GroupRequestState, asked: RequestsKnowledge): void {
    if (this.#states.takeRequests(page, asked)) step.touch(this.id)
  }

  /** A page of the contacts, as in {@link takeState}. */
  takeContacts(step: Step, page: ContactState, asked: ContactsKnowledge): void {
    if (this.#states.takeContacts(page, asked)) step.touch(this.id)
  }

  /** A page of the invitations into groups, as in {@link takeState}. */
  takeInvitations(step: Step, page: GroupInvitationState, asked: InvitationsKnowledge | undefined): void {
    if (this.#states.takeInvitations(page, asked)) step.touch(this.id)
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
    this.#unread.count(step)
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
    this.#unread.count(step)
  }

  /** The user has seen everything up to here. Returns whether that is news. */
  markRead(step: Step, seq: number): boolean {
    const { record } = this
    const reached = Math.min(seq, record.position ?? 0)
    if (reached <= this.read) return false
    record.readHere = reached
    step.touch(this.id)
    this.#unread.count(step)
    return true
  }

  /** Begins anew at the end, because too much was missed to read all of it. */
  restart(step: Step): void {
    const { record } = this
    this.#dropBefore(step, Infinity)
    record.position = null
    record.from = 1
    this.#states.forget()
    step.touch(this.id)
  }

  /** The copy begins here. From the first event on, contacts, invitations and pins follow from the events. */
  #base(from: number): void {
    const { record } = this
    record.from = from
    record.position = from - 1
    if (from === 1) this.#states.begin()
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
    this.#states.forgetGroup()
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

  #change(step: Step, event: TimelineEvent, change: Change): void {
    const { seq, from } = event
    const amendment = amendmentOf(seq, from, change)
    if (amendment) this.#amend(step, amendment)
    if (isOfOneself(change)) this.#states.changeOwn(event, change)
    if (isOfGroups(change)) this.#changeGroup(step, event, change)
    this.#states.changePins(seq, change)
  }

  #changeGroup(step: Step, { seq, from, ts }: TimelineEvent, change: Change): void {
    const { record } = this
    const comes = joins(this.user, from, change)
    record.kind = 'group'
    if (comes) {
      // What became of earlier messages meanwhile is hidden; they are pulled once more.
      if (seq > record.from) this.#dropBefore(step, seq)
      record.from = Math.max(record.from, change.kind === 'groupCreated' ? 1 : seq)
      record.own = furthest(record.own, { delivered: seq, read: seq })
      record.present = true
    }
    this.#states.changeGroup({ seq, from, ts }, change, comes)
    if (parts(this.user, from, change)) record.present = false
  }

  #amend(step: Step, amendment: Amendment): void {
    step.amend(this.id, amendment)
    const index = indexFrom(this.events, amendment.targetSeq)
    const target = this.events[index]
    if (target?.seq !== amendment.targetSeq) {
      if (this.#amendments.size < AMENDMENTS_MAX) {
        this.#amendments.set(amendment.targetSeq, [...(this.#amendments.get(amendment.targetSeq) ?? []), amendment])
      }
      if (this.#unread.mayUnname(amendment)) step.miscounted = true
      return
    }
    const next = amended(target, amendment)
    if (next === target) return
    this.events[index] = next
    step.show(next)
  }

  #prepend(step: Step, events: TimelineEvent[]): TimelineEvent[] {
    const { hidden } = this.record
    const current = events.filter(({ seq }) => !isHidden(hidden, seq)).map((event) => (this.#amendments.get(event.seq) ?? []).reduce(amended, event))
    this.events.unshift(...current)
    for (const event of current) step.show(event)
    this.#unread.prepended(current)
    return current
  }

  /** Events before a seq are gone for good, and this device has missed some. */
  #loseBefore(step: Step, seq: number): void {
    const { record } = this
    this.#dropBefore(step, seq)
    record.position = Math.max(record.position ?? 0, seq - 1)
    record.from = Math.max(record.from, seq)
    if (record.kind === 'personal') step.lostOwn = true
    this.#states.forget()
  }

  #dropBefore(step: Step, seq: number): void {
    this.events.splice(0, indexFrom(this.events, seq))
    this.#hasMoreOnDisk = false
    this.#unread.forgetBefore()
    step.forgetBefore(this.id, seq)
    const shown = step.shown.get(this.id)
    if (shown) step.shown.set(this.id, shown.filter((event) => event.seq >= seq))
  }
}
