/** Storage in memory, for devices that keep nothing and as the model that others are held to. */
import { amended, type TimelineEvent } from '../event'
import type { OutboxEntry } from '../outbox'
import type { Storage } from '../ports'
import { indexFrom } from '../window'
import type { Batch, ConversationRecord, DeviceRecord, Stored } from './records'

/** What a disk holds; several storages one after the other may be of the same disk. */
export class MemoryDisk {
  device: DeviceRecord | undefined
  conversations = new Map<string, ConversationRecord>()
  events = new Map<string, TimelineEvent[]>()
  outbox = new Map<string, OutboxEntry>()
}

export class MemoryStorage implements Storage {
  constructor(readonly disk = new MemoryDisk()) {}

  load(eventsOfEach: number): Promise<Stored> {
    const { device, conversations, events, outbox } = this.disk
    return Promise.resolve(
      structuredClone({
        ...(device === undefined ? {} : { device }),
        conversations: [...conversations.values()],
        events: new Map([...events].map(([id, all]) => [id, all.slice(-eventsOfEach)])),
        outbox: [...outbox.values()],
      }),
    )
  }

  commit(batch: Batch): Promise<void> {
    const { disk } = this
    const { reset, device, conversations, forget, events, hide, amendments, outbox } =
      structuredClone(batch)
    if (reset === true) {
      disk.device = undefined
      disk.conversations.clear()
      disk.events.clear()
    }
    if (device) disk.device = device
    for (const [id, record] of conversations) disk.conversations.set(id, record)
    for (const [id, seq] of forget) {
      disk.events.set(id, (disk.events.get(id) ?? []).filter((event) => event.seq >= seq))
    }
    for (const event of events) this.#put(event)
    for (const [id, seqs] of hide) {
      disk.events.set(id, (disk.events.get(id) ?? []).filter(({ seq }) => !seqs.includes(seq)))
    }
    for (const { conversationId, amendment } of amendments) {
      const all = disk.events.get(conversationId) ?? []
      const index = indexFrom(all, amendment.targetSeq)
      const target = all[index]
      if (target && target.seq === amendment.targetSeq) all[index] = amended(target, amendment)
    }
    for (const [name, entry] of outbox) {
      if (entry) disk.outbox.set(name, entry)
      else disk.outbox.delete(name)
    }
    return Promise.resolve()
  }

  eventsBefore(conversationId: string, seq: number, limit: number): Promise<TimelineEvent[]> {
    const all = this.disk.events.get(conversationId) ?? []
    const end = indexFrom(all, seq)
    return Promise.resolve(structuredClone(all.slice(Math.max(0, end - limit), end)))
  }

  close(): void {}

  #put(event: TimelineEvent): void {
    const all = this.disk.events.get(event.conversationId) ?? []
    this.disk.events.set(event.conversationId, all)
    const index = indexFrom(all, event.seq)
    all.splice(index, all[index]?.seq === event.seq ? 1 : 0, event)
  }
}
