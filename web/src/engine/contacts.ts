/**
 * What others are to the user, at some seq of the personal timeline. An event tells a contact
 * as a whole, so it takes the place of what is here. That an application is over is told by
 * nobody: whoever shows it compares `expiresTs` with the time.
 */
import type { Knowledge } from './knowledge'
import type { Change } from './wire/change'
import type { Contact, ContactState } from './wire/protocol'

export interface ContactsState {
  /** Every event up to this one is in it. */
  asOfSeq: number
  /** By user id; only those of whom there is something to know. */
  contacts: Record<string, Contact>
}

/** The lists in the order in which they are asked for. */
export const LISTS = ['friends', 'incoming', 'outgoing', 'blocked'] as const

/** Where the next page begins. */
export interface ContactsPlace {
  list: (typeof LISTS)[number]
  usersAfter?: string
}

export type ContactsKnowledge = Knowledge<ContactsState, ContactsPlace>

export const NO_CONTACTS: ContactsState = { asOfSeq: 0, contacts: {} }

/** The contacts after a change. A change that is in the state already changes nothing. */
export function contactsAfter(state: ContactsState, seq: number, change: Change): ContactsState {
  if (seq <= state.asOfSeq) return state
  if (change.kind !== 'contactChanged') return { ...state, asOfSeq: seq }
  return { asOfSeq: seq, contacts: withContact(state.contacts, change.contact) }
}

/** What is known after another page, of whichever list is next. */
export function withContacts(known: ContactsKnowledge, page: ContactState): ContactsKnowledge {
  // Later events say what changed after the first page of the first list, so its seq stands.
  const before: ContactsState =
    known.kind === 'fetching' ? known.state : { asOfSeq: page.asOfSeq, contacts: {} }
  const contacts = page.contacts.reduce(withContact, before.contacts)
  const state = { ...before, contacts }
  const last = page.contacts.at(-1)
  if (page.more && last !== undefined) {
    return { kind: 'fetching', state, after: { list: page.list, usersAfter: last.user } }
  }
  const next = LISTS[LISTS.indexOf(page.list) + 1]
  return next === undefined ? { kind: 'known', state } : { kind: 'fetching', state, after: { list: next } }
}

/** Whether only personal timelines have such events. */
export function isOfOneself({ kind }: Change): boolean {
  return (
    kind === 'conversationAdded' ||
    kind === 'conversationRemoved' ||
    kind === 'conversationRefused' ||
    kind === 'groupInvited' ||
    kind === 'groupInvitationEnded' ||
    kind === 'contactChanged' ||
    kind === 'settingsChanged' ||
    kind === 'messagesHidden' ||
    kind === 'conversationSettingsChanged'
  )
}

function withContact(contacts: ContactsState['contacts'], contact: Contact): ContactsState['contacts'] {
  const { user, friendSinceTs, blocked, application } = contact
  const isAnything = friendSinceTs !== undefined || blocked === true || application !== undefined
  if (isAnything) return { ...contacts, [user]: contact }
  return Object.fromEntries(Object.entries(contacts).filter(([other]) => other !== user))
}
