/** The sync engine: a package of its own, without DOM and without Vue. See README.md beside it. */
export { Engine, type Commands, type EngineOptions, type EngineTimes } from './engine'
export type { TimelineEvent, Message, ChangeEvent } from './event'
export type { GroupState, Role } from './group'
export type { OutboxEntry, Request } from './outbox'
export type * from './ports'
export { MemoryDisk, MemoryStorage } from './storage/memory'
export { applyPatch, emptyView } from './view'
export type { ConversationView, Patch, Status, TimelineView, View } from './view'
