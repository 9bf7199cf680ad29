/**
 * What follows from the events of one conversation: who is in the group, who waits to be let in, what is pinned, what others
 * are to the user, and into which groups the user is invited. Each is asked for once, and kept true by the events after that. Keeps it in the record of the
 * conversation; knows nothing of how the events got here.
 */
import { contactsAfter, NO_CONTACTS, withContacts, type ContactsKnowledge } from './contacts'
import { SYSTEM, type TimelineEvent } from './event'
import { changed, created, joins, withPage, type GroupKnowledge } from './group'
import { invitationsAfter, NO_INVITATIONS, withInvitations, type InvitationsKnowledge } from './invitations'
import type { Knowledge } from './knowledge'
import { NO_PINS, pinsAfter, pinsOf } from './pins'
import { requestsAfter, withRequests, type RequestsKnowledge } from './requests'
import type { ConversationRecord } from './storage/records'
import { indexFrom } from './window'
import type { Change } from './wire/change'
import type { ContactState, ConversationState, GroupInvitationState, GroupRequestState } from './wire/protocol'

/** The copy of the conversation, as far as its events matter here. */
export interface Copy {
  readonly record: ConversationRecord
  readonly user: string
  /** The last events, in order. */
  readonly events: readonly TimelineEvent[]
  /** The first seq from which on all events are in memory. */
  readonly loadedFrom: number
}

export class DerivedStates {
  constructor(private readonly copy: Copy) {}

  /** The first event is at hand: from there on contacts, invitations and pins follow from the events. */
  begin(): void {
    const { record } = this.copy
    record.contacts = { kind: 'known', state: NO_CONTACTS }
    record.invitations = { kind: 'known', state: NO_INVITATIONS }
    record.pins = NO_PINS
  }

  /** Events are missing that what was known would have to follow. */
  forget(): void {
    const { record } = this.copy
    this.forgetGroup()
    record.contacts = { kind: 'unknown' }
    delete record.invitations
    delete record.settings
  }

  /** The same of what is not the user's own alone. */
  forgetGroup(): void {
    const { record } = this.copy
    record.group = { kind: 'unknown' }
    record.requests = { kind: 'unknown' }
    delete record.pins
  }

  /**
   * A page of the members, asked for when `asked` was known. If something else is known by now, the page may not follow on
   * it. Returns whether it was taken, as all of these.
   */
  takeState(page: ConversationState, asked: GroupKnowledge): boolean {
    const { record } = this.copy
    if (record.group !== asked || record.position === null) return false
    if (asked.kind === 'unknown') this.takePins(page)
    record.group = this.#replayed(withPage(asked, page), (state, { seq, from }, change) => changed(state, seq, from, change))
    this.#summarise()
    return true
  }

  /** What is pinned, if that is not known. */
  takePins(page: ConversationState): boolean {
    const { record } = this.copy
    if (record.pins !== undefined || record.position === null) return false
    const pins = this.#replayed({ kind: 'known', state: pinsOf(page) }, (state, { seq }, change) => pinsAfter(state, seq, change))
    if (pins.kind === 'known') record.pins = pins.state
    return true
  }

  /** A page of those who wait to be let in. */
  takeRequests(page: GroupRequestState, asked: RequestsKnowledge): boolean {
    const { record } = this.copy
    if (record.requests !== asked || record.position === null) return false
    record.requests = this.#replayed(withRequests(asked, page), requestsAfter)
    return true
  }

  /** A page of the contacts. */
  takeContacts(page: ContactState, asked: ContactsKnowledge): boolean {
    const { record } = this.copy
    if (record.contacts !== asked || record.position === null) return false
    record.contacts = this.#replayed(withContacts(asked, page), (state, { seq }, change) => contactsAfter(state, seq, change))
    return true
  }

  /** A page of the invitations into groups. */
  takeInvitations(page: GroupInvitationState, asked: InvitationsKnowledge | undefined): boolean {
    const { record } = this.copy
    if (record.invitations !== asked || record.position === null) return false
    record.invitations = this.#replayed(withInvitations(asked ?? { kind: 'unknown' }, page), invitationsAfter)
    return true
  }

  /** Something that concerns the user alone. */
  changeOwn({ seq, from, ts }: Pick<TimelineEvent, 'seq' | 'from' | 'ts'>, change: Change): void {
    const { record } = this.copy
    record.kind = 'personal'
    if (change.kind === 'settingsChanged') {
      record.settings = change.settings
      if (from === SYSTEM) record.cleared = { seq, ts }
      else delete record.cleared
    }
    if (record.contacts.kind === 'known') {
      record.contacts = { kind: 'known', state: contactsAfter(record.contacts.state, seq, change) }
    }
    if (record.invitations?.kind === 'known') {
      record.invitations = { kind: 'known', state: invitationsAfter(record.invitations.state, { seq, from, ts }, change) }
    }
  }

  /** Something that concerns a group. `comes` says whether the user comes into it by this. */
  changeGroup({ seq, from, ts }: Pick<TimelineEvent, 'seq' | 'from' | 'ts'>, change: Change, comes: boolean): void {
    const { record } = this.copy
    if (comes && record.pins && record.pins.asOfSeq < seq && change.kind !== 'groupCreated') delete record.pins
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
    if (seq <= record.summarySeq) return
    record.summarySeq = seq
    if (change.kind === 'titleChanged' || change.kind === 'groupCreated') record.title = change.title
    this.#summarise()
  }

  changePins(seq: number, change: Change): void {
    const { record } = this.copy
    if (record.pins) record.pins = pinsAfter(record.pins, seq, change)
  }

  /** Takes title and number of members from what is known of the group. */
  #summarise(): void {
    const { record } = this.copy
    if (record.group.kind !== 'known' || record.group.state.asOfSeq < record.summarySeq) return
    record.title = record.group.state.title
    record.memberCount = Object.keys(record.group.state.members).length
  }

  /** A state that was just completed, with what happened since. */
  #replayed<S extends { asOfSeq: number }, P>(
    knowledge: Knowledge<S, P>,
    apply: (state: S, event: TimelineEvent, change: Change) => S,
  ): Knowledge<S, P> {
    if (knowledge.kind !== 'known') return knowledge
    const { record, user, events, loadedFrom } = this.copy
    let { state } = knowledge
    // What happened since must be here, or the state has a hole before it begins.
    const { asOfSeq } = state
    if ((record.position ?? 0) > asOfSeq && loadedFrom > asOfSeq + 1) return { kind: 'unknown' }
    for (const event of events.slice(indexFrom(events, asOfSeq + 1))) {
      if (event.what.kind !== 'change') continue
      if (joins(user, event.from, event.what.change)) return { kind: 'unknown' }
      state = apply(state, event, event.what.change)
    }
    return { kind: 'known', state }
  }
}
