/**
 * Catching up over one session: asks which conversations changed, and pulls until no copy is
 * behind. Few questions are under way at a time, and what the user looks at goes first.
 */
import { LISTS } from './contacts'
import type { Device } from './device'
import type { Link } from './link'
import type { Clock, Log } from './ports'
import type { Timeline } from './timeline'
import type { AnyError, PlacedFrame, ServerFrame, SyncStateFrame } from './wire/codec'
import type { Limits } from './wire/protocol'

/** Questions under way at once, besides the sync. */
const PULLS_MAX = 4
/** The first page of a conversation that is new to this device. */
const FIRST_PAGE = 50
/** A page before the copy, for who scrolls back; the server may give fewer. */
const OLDER_PAGE = 200
/** Who has missed more than this begins anew at the end. */
const MISSED_MAX = 2_000
/** How many are in a page of requests, contacts or invitations; the server may give fewer. */
const REQUESTS_PAGE = 500
const CONTACTS_PAGE = 200
const INVITATIONS_PAGE = 200
/** How long to wait when a question is refused for now without saying it, in milliseconds. */
const RETRY_AFTER_MS = 1_000

/** What may be asked about a conversation. */
type Question = 'events' | 'group' | 'pins' | 'requests' | 'contacts' | 'invitations'

interface Candidate {
  question: Question
  timeline: Timeline
}

export interface CatchupOptions {
  device: Device
  link: Link
  clock: Clock
  log: Log
  limits: Limits
  /** Another epoch than that of the session: the session is of no more use. */
  onEpoch: (epoch: string) => void
  /** All that was missed is here. Called once. */
  onCaughtUp: () => void
}

export class Catchup {
  readonly #options: CatchupOptions
  readonly #underWay = new Set<string>()
  /** Conversations that may be behind. */
  readonly #behind: Set<string>
  /** What this session is not to ask again, as question and conversation. */
  readonly #barred = new Set<string>()
  #sync: 'idle' | 'running' | 'again' = 'idle'
  #isSynced = false
  #isCaughtUp = false
  #cancelRetry: () => void = () => {}
  #isStopped = false
  /**
   * A device that holds nothing waits for the sync, so that its personal timeline, whose place
   * in the sync may be anywhere, is the first that it begins.
   */
  readonly #isFresh: boolean

  constructor(options: CatchupOptions) {
    this.#options = options
    this.#isFresh = options.device.record?.syncToken === undefined && options.device.holdsNothing
    this.#behind = new Set(options.device.timelines.keys())
  }

  start(): void {
    this.sync()
    this.#pump()
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelRetry()
  }

  /** Asks which conversations changed; once more, if that is being asked already. */
  sync(): void {
    if (this.#sync !== 'idle') {
      this.#sync = 'again'
      return
    }
    this.#sync = 'running'
    this.#askSync()
  }

  /** These conversations have changed. */
  look(conversationIds: Iterable<string>): void {
    for (const id of conversationIds) this.#behind.add(id)
    this.#pump()
  }

  /** Asks for a page before the copy. */
  older(timeline: Timeline): void {
    const key = `older ${timeline.id}`
    const { from, position } = timeline.record
    if (position === null || from <= timeline.floor || this.#underWay.has(key)) return
    this.#underWay.add(key)
    const { device, link } = this.#options
    const limit = Math.min(OLDER_PAGE, this.#options.limits.pullEvents)
    const conversationId = timeline.id
    link.request({ type: 'PULL', conversationId, beforeSeq: from, limit }, (answer) => {
      this.#underWay.delete(key)
      if (answer.type !== 'EVENTS') {
        this.#refused(key, answer)
        return
      }
      const before = timeline.events.length
      device.step((step) => timeline.older(step, answer))
      // All of the page is hidden: whoever scrolls back wants the one before it.
      if (timeline.events.length === before && timeline.record.from < from) this.older(timeline)
    })
  }

  /** Whether pushes of this conversation are replaced by `HEAD` while nobody looks. */
  isQuiet(timeline: Timeline): boolean {
    const { headMembers } = this.#options.limits
    const count = timeline.record.memberCount ?? 0
    return headMembers > 0 && count >= headMembers && !this.#options.device.open.has(timeline.id)
  }

  #askSync(): void {
    const { device, link, limits } = this.#options
    const token = device.record?.syncToken
    const limit = limits.syncConversations
    link.request({ type: 'SYNC', ...(token === undefined ? {} : { token }), limit }, (answer) => {
      if (answer.type === 'SYNC_STATE') this.#takeSync(answer)
      else if (answer.type === 'ERROR') this.#syncRefused(answer)
    })
  }

  #takeSync(answer: SyncStateFrame): void {
    const { device } = this.#options
    if (answer.epoch !== device.record?.epoch) {
      this.#options.onEpoch(answer.epoch)
      return
    }
    // Conversations and token in one step: a crash in between forgets neither.
    device.step((step) => {
      for (const state of answer.conversations) {
        if (state.kind === 'unknown') continue
        const timeline = device.timeline(state.conversationId, state.kind)
        if (state.memberCount !== undefined) timeline.record.memberCount = state.memberCount
        timeline.takeSync(step, state, !this.isQuiet(timeline))
      }
      device.record = { ...device.record!, syncToken: answer.token }
      step.batch.device = device.record
    })
    if (answer.more || this.#sync === 'again') {
      if (!answer.more) this.#sync = 'running'
      this.#askSync()
      return
    }
    this.#sync = 'idle'
    this.#isSynced = true
    this.#pump()
  }

  #syncRefused(error: AnyError): void {
    const { device, log } = this.#options
    if (error.reason === 'bad_sync_token') {
      device.step((step) => {
        const { syncToken: _, ...record } = device.record!
        device.record = record
        step.batch.device = record
      })
      this.#askSync()
      return
    }
    log(`a sync was refused: ${error.reason}`)
    this.#retry(error.retryAfterMs ?? RETRY_AFTER_MS, () => this.#askSync())
  }

  #pump(): void {
    if (this.#isStopped || (this.#isFresh && !this.#isSynced)) return
    for (const { question, timeline } of this.#candidates()) {
      if (this.#underWay.size >= PULLS_MAX) return
      this.#put(question, timeline)
    }
    if (this.#isSynced && !this.#isCaughtUp && this.#underWay.size === 0) {
      this.#isCaughtUp = true
      this.#options.onCaughtUp()
    }
  }

  /** What is to be asked about, in the order in which the user cares. */
  #candidates(): Candidate[] {
    const { device } = this.#options
    const candidates: Candidate[] = []
    for (const id of this.#behind) {
      const timeline = device.timelines.get(id)
      const question = timeline && this.#questionOf(timeline)
      if (!timeline || question === undefined) this.#behind.delete(id)
      else if (!this.#underWay.has(id)) candidates.push({ question, timeline })
    }
    const rank = ({ timeline: { id, record } }: Candidate) => {
      if (record.kind === 'personal' && record.position === null) return Infinity
      return device.open.has(id) ? Number.MAX_VALUE : record.ts
    }
    return candidates.length > 1
      ? candidates.sort((one, other) => (rank(other) > rank(one) ? 1 : -1))
      : candidates
  }

  /** What is to be asked about a conversation next, and was not refused. */
  #questionOf(timeline: Timeline): Question | undefined {
    const open = this.#options.device.open.has(timeline.id)
    const mayAsk = (question: Question) => !this.#barred.has(`${question} ${timeline.id}`)
    // Without the events nothing that follows from them can be kept.
    if (timeline.isBehind) return mayAsk('events') && !awaitsKind(timeline) ? 'events' : undefined
    if (timeline.wantsContacts && mayAsk('contacts')) return 'contacts'
    if (timeline.wantsInvitations && mayAsk('invitations')) return 'invitations'
    if (open && timeline.wantsGroup && mayAsk('group')) return 'group'
    if (open && timeline.wantsPins && mayAsk('pins')) return 'pins'
    if (open && timeline.wantsRequests && mayAsk('requests')) return 'requests'
    return undefined
  }

  #put(question: Question, timeline: Timeline): void {
    switch (question) {
      case 'events':
        this.#pull(timeline)
        return
      case 'group':
        this.#askState(timeline)
        return
      case 'pins':
        this.#askPins(timeline)
        return
      case 'requests':
        this.#askRequests(timeline)
        return
      case 'contacts':
        this.#askContacts(timeline)
        return
      case 'invitations':
        this.#askInvitations(timeline)
    }
  }

  #pull(timeline: Timeline): void {
    const { device, limits } = this.#options
    const { record } = timeline
    const conversationId = timeline.id
    // What is held may have been deleted anywhere in a personal timeline: nothing of it is passed over.
    const isWhole = record.kind === 'personal' && !device.holdsNothing
    if (!isWhole && record.position !== null && record.wanted - record.position > MISSED_MAX) {
      device.step((step) => timeline.restart(step))
    }
    if (isWhole && record.position === null) device.step((step) => timeline.beginAtStart(step))
    if (record.position === null) {
      const beforeSeq = Math.max(record.head, record.wanted) + 1
      this.#ask(timeline, 'events', { type: 'PULL', conversationId, beforeSeq, limit: FIRST_PAGE }, (answer) => {
        if (answer.type === 'EVENTS') device.step((step) => timeline.begin(step, answer))
      })
      return
    }
    const asked = record.wanted
    const limit = limits.pullEvents
    const frame = { type: 'PULL' as const, conversationId, afterSeq: record.position, limit }
    this.#ask(timeline, 'events', frame, (answer) => {
      if (answer.type !== 'EVENTS') return
      device.step((step) => timeline.cover(step, answer, asked))
      if (answer.events.some((frame) => this.#isAdded(frame))) this.sync()
    })
  }

  /** Whether the user was brought into a group that this device has not heard of. */
  #isAdded(frame: PlacedFrame): boolean {
    if (frame.type !== 'EVENT' || frame.change.kind !== 'conversationAdded') return false
    return !this.#options.device.timelines.has(frame.change.conversationId)
  }

  #askState(timeline: Timeline): void {
    const { device, limits } = this.#options
    const { group } = timeline.record
    const conversationId = timeline.id
    const after = group.kind === 'fetching' ? group.after : undefined
    const limit = limits.stateMembers
    const page = after === undefined ? {} : { membersAfter: after }
    this.#ask(timeline, 'group', { type: 'CONVERSATION', conversationId, ...page, limit }, (answer) => {
      if (answer.type === 'CONVERSATION_STATE') {
        device.step((step) => timeline.takeState(step, answer, group))
      }
    })
  }

  /** They come with the members, who are not of interest here. */
  #askPins(timeline: Timeline): void {
    this.#ask(timeline, 'pins', { type: 'CONVERSATION', conversationId: timeline.id, limit: 1 }, (answer) => {
      if (answer.type === 'CONVERSATION_STATE') {
        this.#options.device.step((step) => timeline.takePins(step, answer))
      }
    })
  }

  #askRequests(timeline: Timeline): void {
    const { requests } = timeline.record
    const page = requests.kind === 'fetching' ? { usersAfter: requests.after } : {}
    const frame = { type: 'GROUP_REQUESTS' as const, groupId: timeline.id, ...page, limit: REQUESTS_PAGE }
    this.#ask(timeline, 'requests', frame, (answer) => {
      if (answer.type === 'GROUP_REQUEST_STATE') {
        this.#options.device.step((step) => timeline.takeRequests(step, answer, requests))
      }
    })
  }

  #askContacts(timeline: Timeline): void {
    const { contacts } = timeline.record
    const place = contacts.kind === 'fetching' ? contacts.after : { list: LISTS[0] }
    const frame = { type: 'CONTACTS' as const, ...place, limit: CONTACTS_PAGE }
    this.#ask(timeline, 'contacts', frame, (answer) => {
      if (answer.type === 'CONTACT_STATE') {
        this.#options.device.step((step) => timeline.takeContacts(step, answer, contacts))
      }
    })
  }

  #askInvitations(timeline: Timeline): void {
    const { invitations } = timeline.record
    const page = invitations?.kind === 'fetching' ? { groupsAfter: invitations.after } : {}
    const frame = { type: 'GROUP_INVITATIONS' as const, ...page, limit: INVITATIONS_PAGE }
    this.#ask(timeline, 'invitations', frame, (answer) => {
      if (answer.type === 'GROUP_INVITATION_STATE') {
        this.#options.device.step((step) => timeline.takeInvitations(step, answer, invitations))
      }
    })
  }

  #ask(
    { id }: Timeline,
    question: Question,
    frame: Parameters<Link['request']>[0],
    take: (answer: ServerFrame) => void,
  ): void {
    this.#underWay.add(id)
    this.#options.link.request(frame, (answer) => {
      this.#underWay.delete(id)
      if (answer.type === 'ERROR') this.#refused(`${question} ${id}`, answer)
      else take(answer)
      this.#behind.add(id)
      this.#pump()
    })
  }

  #refused(key: string, answer: ServerFrame): void {
    if (answer.type !== 'ERROR') return
    this.#options.log(`a question about a conversation was refused: ${answer.reason}`)
    this.#barred.add(key)
    const passes = answer.retryAfterMs !== undefined || answer.reason === 'timeout'
    if (!passes) return
    this.#retry(answer.retryAfterMs ?? RETRY_AFTER_MS, () => {
      this.#barred.delete(key)
      this.look(this.#options.device.timelines.keys())
    })
  }

  #retry(delayMs: number, again: () => void): void {
    const cancelBefore = this.#cancelRetry
    const cancel = this.#options.clock.after(delayMs, again)
    this.#cancelRetry = () => {
      cancelBefore()
      cancel()
    }
  }
}

/** How a copy begins depends on what kind of conversation it is of, which a sync tells if nothing else does. */
function awaitsKind({ record }: Timeline): boolean {
  return record.kind === 'unknown' && record.position === null
}
