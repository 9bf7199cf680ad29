/**
 * The device: its copies of all conversations and its outbox, in memory and on disk.
 *
 * Knows nothing of connections. Every change is a {@link Step}: it is written to storage in
 * the order in which steps were taken, and shown at once.
 */
import type { TimelineEvent } from './event'
import { withHiding, type Hidden, type Hiding } from './hidden'
import { Outbox, namesPlace, type OutboxEntry } from './outbox'
import type { Log, Storage } from './ports'
import { Step } from './step'
import {
  isEmpty,
  type Batch,
  type ConversationKind,
  type ConversationRecord,
  type DeviceRecord,
} from './storage/records'
import { Timeline } from './timeline'
import type { UserSettings } from './wire/protocol'
import type { ConversationView, Patch, PersonalView, TimelinePatch } from './view'

/** How many events of each conversation are in memory at the start. */
export const EVENTS_OF_EACH = 50
/** How many events of a conversation stay in memory when it is no longer looked at. */
const KEPT_IN_MEMORY = 200
/** How many come from disk at once, for who scrolls back. */
const PAGE_FROM_DISK = 200

export interface DeviceOptions {
  userId: string
  storage: Storage
  log: Log
  /** Takes what is to be shown. */
  show: (patch: Patch) => void
}

export class Device {
  readonly userId: string
  readonly timelines = new Map<string, Timeline>()
  /** Conversations that the user looks at. */
  readonly open = new Set<string>()
  outbox = new Outbox()
  record: DeviceRecord | undefined
  /** Told of each step after it was taken. */
  onStep: (step: Step) => void = () => {}
  /** Told of conversations, as they are on disk now, or would be if it could be written. */
  onDurable: (records: Iterable<ConversationRecord>) => void = () => {}
  readonly #options: DeviceOptions
  /** What the server said when it was asked; what the personal timeline tells is newer. */
  #settings: UserSettings | undefined
  #writes: Promise<void> = Promise.resolve()
  #isVolatile = false
  readonly #unwritten = new Set<string>()
  /** What the user has deleted in conversations of which nothing has come yet: their pushes may be overtaken. */
  readonly #hiddenAhead = new Map<string, Hidden>()

  constructor(options: DeviceOptions) {
    this.userId = options.userId
    this.#options = options
  }

  /** Takes what is on disk. @throws if that can't be read, or is another user's. */
  async load(): Promise<void> {
    const stored = await this.#options.storage.load(EVENTS_OF_EACH)
    if (stored.device && stored.device.userId !== this.userId) {
      throw new Error('the storage belongs to another user')
    }
    this.record = stored.device
    this.outbox = new Outbox(stored.outbox)
    for (const record of stored.conversations) {
      const events = stored.events.get(record.conversationId) ?? []
      const timeline = new Timeline(record, this.userId, events)
      timeline.hasMoreOnDisk = events.length === EVENTS_OF_EACH
      this.timelines.set(timeline.id, timeline)
    }
    this.#options.show(this.snapshot())
  }

  /** Everything that is shown, for who has seen nothing yet. */
  snapshot(): Patch {
    return {
      reset: true,
      durable: !this.#isVolatile,
      conversations: [...this.timelines.values()].filter(isShown).map(viewOf),
      timelines: [...this.open].flatMap((id) => this.#whole(id)),
      ...this.#personalOf([...this.timelines.values()]),
      outbox: this.outbox.entries,
    }
  }

  timeline(conversationId: string, kind: ConversationKind = 'unknown'): Timeline {
    let timeline = this.timelines.get(conversationId)
    if (!timeline) {
      timeline = Timeline.begin(conversationId, this.userId, kind, this.#hiddenAhead.get(conversationId))
      this.#hiddenAhead.delete(conversationId)
      this.timelines.set(conversationId, timeline)
    } else if (timeline.record.kind === 'unknown') {
      timeline.record.kind = kind
    }
    return timeline
  }

  /** Changes something, keeps it, and shows it. */
  step(change: (step: Step) => void): void {
    const step = new Step()
    change(step)
    if (step.lostOwn) this.#beginAnew(step)
    this.#settleOwn(step)
    this.#settleOutbox(step)
    for (const id of step.touched) {
      const record = this.timelines.get(id)?.record
      if (record) step.batch.conversations.set(id, { ...record })
    }
    this.#write(step.batch)
    this.#show(step)
    this.onStep(step)
  }

  /** Another epoch: everything but the outbox goes. */
  restart(epoch: string): void {
    this.step((step) => {
      step.batch.reset = true
      this.timelines.clear()
      this.#hiddenAhead.clear()
      this.record = { userId: this.userId, epoch }
      this.#settings = undefined
      step.batch.device = this.record
      for (const entry of this.outbox.entries) {
        if (namesPlace(entry)) {
          const refused = this.outbox.refuse(
            entry.clientMsgId,
            'place_unknown',
            'the server came back from a backup; look whether the message is still there',
          )
          if (refused) step.putEntry(refused)
        } else if (entry.state === 'saved') {
          // Its ack was of the other epoch; only a retry tells whether it is still there.
          step.putEntry(this.outbox.resume(entry.clientMsgId))
        }
      }
    })
    this.#options.show(this.snapshot())
  }

  /** Whether nothing of any conversation is here yet. */
  get holdsNothing(): boolean {
    for (const { record } of this.timelines.values()) if (record.position !== null) return false
    return true
  }

  /** Whether the settings should be asked for, because no event has told them. */
  get wantsSettings(): boolean {
    return personal([...this.timelines.values()])?.settings === undefined
  }

  takeSettings(settings: UserSettings): void {
    this.#settings = settings
    this.#options.show(this.#personalOf([...this.timelines.values()]))
  }

  /** Whether an entry of the outbox would outlive this process. */
  isWritten(entry: OutboxEntry): boolean {
    return this.#isVolatile || !this.#unwritten.has(entry.clientMsgId)
  }

  /** Shows a conversation from now on. */
  look(conversationId: string): void {
    this.open.add(conversationId)
    this.#options.show({ timelines: this.#whole(conversationId) })
  }

  lookAway(conversationId: string): void {
    this.open.delete(conversationId)
    // What was scrolled back through is on disk, or can be had from the server again.
    if (!this.#isVolatile) void this.#writes.then(() => this.#shrink(conversationId))
    this.#options.show({ closed: [conversationId] })
  }

  /** Lets go of old events in memory, unless the conversation is looked at again. */
  #shrink(conversationId: string): void {
    if (!this.open.has(conversationId) && !this.#isVolatile) this.timelines.get(conversationId)?.shrink(KEPT_IN_MEMORY)
  }

  /** Brings a page of older events from disk into memory. */
  async recover(timeline: Timeline): Promise<void> {
    await this.#writes
    const before = timeline.loadedFrom
    const events = await this.#options.storage.eventsBefore(timeline.id, before, PAGE_FROM_DISK)
    if (timeline.loadedFrom !== before) return
    this.step((step) => timeline.recover(step, events, PAGE_FROM_DISK))
  }

  /** Waits until everything so far is on disk, or storage has failed. */
  async written(): Promise<void> {
    await this.#writes
  }

  /** Lets go of what is held of all conversations that are not the user's own: it is pulled again as it is now. */
  #beginAnew(step: Step): void {
    for (const timeline of this.timelines.values()) {
      if (timeline.record.kind !== 'personal' && timeline.record.position !== null) timeline.restart(step)
    }
  }

  /** What the personal timeline says of other conversations. */
  #settleOwn(step: Step): void {
    for (const { what } of [...step.shown.values()].flat()) {
      if (what.kind !== 'change') continue
      const { change } = what
      if (change.kind === 'conversationSettingsChanged') this.timelines.get(change.conversationId)?.settle(step, change.settings)
      else if (change.kind === 'messagesHidden') this.#hide(step, change)
    }
  }

  #hide(step: Step, { conversationId, ...what }: Hiding & { conversationId: string }): void {
    const timeline = this.timelines.get(conversationId)
    if (timeline) return timeline.hide(step, what)
    const hidden = withHiding(this.#hiddenAhead.get(conversationId), what)
    if (hidden) this.#hiddenAhead.set(conversationId, hidden)
  }

  /** What stands in a timeline, or is acked and covered, is no longer in the outbox. */
  #settleOutbox(step: Step): void {
    for (const events of step.shown.values()) {
      for (const { from, clientMsgId, conversationId, seq } of events) {
        if (from !== this.userId || clientMsgId === undefined) continue
        const entry = this.outbox.get(clientMsgId)
        if (entry && this.#goesTo(entry, conversationId)) {
          this.outbox.save(clientMsgId, { conversationId, seq })
        }
      }
    }
    for (const { clientMsgId, state, saved } of this.outbox.entries) {
      if (state !== 'saved' || !saved) continue
      const position = this.timelines.get(saved.conversationId)?.record.position ?? -1
      if (position < saved.seq) continue
      this.outbox.remove(clientMsgId)
      step.removeEntry(clientMsgId)
    }
  }

  /** Whether an entry is for this conversation: the same name elsewhere is another message. */
  #goesTo({ lane, request }: OutboxEntry, conversationId: string): boolean {
    if (request.type === 'GROUP_CREATE' || request.type === 'GROUP_JOIN') return true
    return lane === this.laneOf(conversationId)
  }

  /** The lane of what is sent to a conversation. A single chat may begin before it has an id. */
  laneOf(conversationId: string): string {
    const record = this.timelines.get(conversationId)?.record
    return record?.kind === 'single' && record.peer !== undefined
      ? `user:${record.peer}`
      : `conversation:${conversationId}`
  }

  #write(batch: Batch): void {
    if (isEmpty(batch)) return
    const names = [...batch.outbox.keys()]
    for (const name of names) this.#unwritten.add(name)
    this.#writes = this.#writes.then(async () => {
      try {
        if (!this.#isVolatile) await this.#options.storage.commit(batch)
      } catch (error) {
        // What is on disk is whole, only old; whoever starts from it catches up.
        this.#isVolatile = true
        this.#options.log('this device can no longer store anything', error)
        this.#options.show({ durable: false })
      }
      for (const name of names) this.#unwritten.delete(name)
      this.onDurable(batch.conversations.values())
    })
  }

  #show(step: Step): void {
    const patch: Patch = {}
    const touched = [...step.touched].flatMap((id) => this.timelines.get(id) ?? [])
    if (touched.length > 0) patch.conversations = touched.filter(isShown).map(viewOf)
    Object.assign(patch, this.#personalOf(touched))
    const timelines = touched.filter(({ id }) => this.open.has(id)).flatMap((timeline) => {
      if (step.redrawn.has(timeline.id)) return this.#whole(timeline.id)
      const events = step.shown.get(timeline.id) ?? []
      return [patchOf(timeline, events, false)]
    })
    if (timelines.length > 0) patch.timelines = timelines
    const outbox = [...step.batch.outbox]
    patch.outbox = outbox.flatMap(([, entry]) => entry ?? [])
    patch.done = outbox.flatMap(([name, entry]) => (entry === null ? [name] : []))
    this.#options.show(patch)
  }

  /** What concerns the user alone, if these timelines have anything to say about it. */
  #personalOf(timelines: Timeline[]): { personal?: PersonalView } {
    const record = personal(timelines)
    const settings = record?.settings ?? this.#settings
    const isAll = timelines.length === this.timelines.size
    if (!record && (settings === undefined || !isAll)) return {}
    const contacts = record?.contacts.kind === 'known' ? record.contacts.state.contacts : undefined
    const invitations = record?.invitations?.kind === 'known' ? record.invitations.state.waiting : undefined
    return {
      personal: {
        ...(contacts === undefined ? {} : { contacts }),
        ...(invitations === undefined ? {} : { invitations }),
        ...(settings === undefined ? {} : { settings }),
        ...(record?.cleared === undefined ? {} : { cleared: record.cleared }),
      },
    }
  }

  #whole(conversationId: string): TimelinePatch[] {
    const timeline = this.timelines.get(conversationId)
    return timeline ? [patchOf(timeline, [...timeline.events], true)] : []
  }
}

function patchOf(timeline: Timeline, events: TimelineEvent[], reset: boolean): TimelinePatch {
  return { conversationId: timeline.id, reset, events, hasOlder: timeline.hasOlder }
}

/** Personal timelines are for the device alone. */
function isShown({ record }: Timeline): boolean {
  return record.kind === 'single' || record.kind === 'group'
}

/** The personal timeline, if it is among these. */
function personal(timelines: Timeline[]): ConversationRecord | undefined {
  return timelines.find(({ record: { kind } }) => kind === 'personal')?.record
}

function viewOf(timeline: Timeline): ConversationView {
  const { record } = timeline
  const last = timeline.events.findLast(({ what }) => what.kind === 'message' || !('targetSeq' in what.change))
  return {
    conversationId: record.conversationId,
    kind: record.kind,
    ...(record.peer === undefined ? {} : { peer: record.peer }),
    ...(record.title === undefined ? {} : { title: record.title }),
    ...(record.memberCount === undefined ? {} : { memberCount: record.memberCount }),
    present: record.present,
    unread: record.unread,
    unreadMentions: record.unreadMentions,
    hasNews: record.head > (record.position ?? 0),
    read: timeline.read,
    peerCursors: record.peerCursors,
    ...(last === undefined ? {} : { last }),
    ...(record.group.kind === 'known' ? { group: record.group.state } : {}),
    ...(timeline.pins === undefined ? {} : { pins: timeline.pins }),
    ...(record.requests.kind === 'known' ? { requests: record.requests.state.waiting } : {}),
    ...(record.ownSettings === undefined ? {} : { settings: record.ownSettings }),
    ts: record.ts,
  }
}
