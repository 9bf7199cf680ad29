/**
 * The engine as the pages see it: its view in reactive pieces, so that a patch touches only what shows the conversations,
 * timelines and messages that are in it.
 */
import { defineStore } from 'pinia'
import { computed, ref, shallowReactive, shallowRef } from 'vue'
import { Engine, Messenger, type CallRequest, type CallView, type ConversationView, type OutboxEntry, type Patch, type PersonalView, type Presence, type Request, type Status, type TimelineView, type View } from '../../engine'
import { IndexedDbStorage } from '../../engine/storage/indexeddb'
import { browserTabs } from '../platform/tabs'
import { webSocketTransport } from '../platform/transport'
import { systemClock, systemRandom } from '../platform/world'
import { CLIENT, useSession } from './session'

export const useMessenger = defineStore('messenger', () => {
  const session = useSession()

  const status = shallowRef<Status>({ kind: 'stopped' })
  const isDurable = ref(true)
  /** What this browser has stored can't be read. */
  const problem = shallowRef<unknown>()
  const limits = shallowRef<View['limits']>()
  const personal = shallowRef<PersonalView>()
  /** What admins of the system say to everybody. */
  const notices = shallowRef<View['notices']>([])
  const conversations = shallowReactive(new Map<string, ConversationView>())
  const timelines = shallowReactive(new Map<string, TimelineView>())
  const outbox = shallowReactive(new Map<string, OutboxEntry>())
  const presence = shallowReactive(new Map<string, Presence>())
  /** Who types, by conversation. */
  const typing = shallowReactive(new Map<string, string[]>())
  /** The call of the moment, or the last one, if this tab has seen it. */
  const call = shallowRef<CallView>()
  /** Whether this device's copy has been shown. */
  const isLoaded = ref(false)

  let messenger: Messenger | undefined
  let databaseName = ''
  const listeners = new Set<(patch: Patch) => void>()

  function start(): void {
    const account = session.account
    if (!account || messenger) return
    databaseName = `petrel-${account.userId}`
    messenger = new Messenger({
      tabs: browserTabs(databaseName),
      random: systemRandom,
      lead: async (show) =>
        new Engine({
          userId: account.userId,
          deviceId: session.device.deviceId,
          platform: session.device.platform,
          client: CLIENT,
          renew: () => session.tokens.renew(),
          askSettings: () => session.http.ask('/api/users/me/settings'),
          transport: webSocketTransport(new URL('/ws', location.href.replace(/^http/, 'ws')).href),
          clock: systemClock,
          random: systemRandom,
          storage: await IndexedDbStorage.open(databaseName),
          log: (message, detail) => console.warn(`petrel: ${message}`, detail ?? ''),
          show,
        }),
      onChange: take,
      onProblem: (reason) => {
        console.error('petrel: this tab can not lead', reason)
        problem.value = reason
      },
    })
    addEventListener('online', connect)
    document.addEventListener('visibilitychange', onVisible)
  }

  /** Stops. With `forgetting`, this browser keeps nothing of the user. */
  async function stop(forgetting = false): Promise<void> {
    removeEventListener('online', connect)
    document.removeEventListener('visibilitychange', onVisible)
    await messenger?.leave()
    messenger = undefined
    clear()
    problem.value = undefined
    status.value = { kind: 'stopped' }
    if (forgetting && databaseName !== '') indexedDB.deleteDatabase(databaseName)
  }

  function connect(): void {
    messenger?.connect()
  }

  function onVisible(): void {
    if (document.visibilityState === 'visible') connect()
  }

  function clear(): void {
    conversations.clear()
    timelines.clear()
    outbox.clear()
    presence.clear()
    typing.clear()
    personal.value = undefined
    call.value = undefined
    notices.value = []
    isLoaded.value = false
  }

  function take(view: View, patch: Patch): void {
    if (patch.reset) clear()
    if (patch.reset) isLoaded.value = true
    if (patch.status) status.value = patch.status
    if (patch.durable !== undefined) isDurable.value = patch.durable
    if (patch.limits) limits.value = patch.limits
    if (patch.personal) personal.value = patch.personal
    if (patch.notices) notices.value = patch.notices
    for (const conversation of patch.conversations ?? []) conversations.set(conversation.conversationId, conversation)
    for (const { conversationId } of patch.timelines ?? []) timelines.set(conversationId, view.timelines.get(conversationId)!)
    for (const id of patch.closed ?? []) timelines.delete(id)
    for (const entry of patch.outbox ?? []) outbox.set(entry.clientMsgId, entry)
    for (const id of patch.done ?? []) outbox.delete(id)
    if (patch.forgetPresence) presence.clear()
    for (const one of patch.presence ?? []) presence.set(one.user, one)
    for (const { conversationId, users } of patch.typing ?? []) {
      if (users.length === 0) typing.delete(conversationId)
      else typing.set(conversationId, users)
    }
    if (patch.call) call.value = patch.call
    for (const listener of listeners) listener(patch)
    if (patch.status?.kind === 'signedOut') {
      session.end(patch.status.reason)
      void stop(patch.status.reason === 'another_user')
    }
  }

  /** Hears every patch, after it was taken. Returns what ends it. */
  function onPatch(listener: (patch: Patch) => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  const must = (): Messenger => {
    if (!messenger) throw new Error('the messenger is not running')
    return messenger
  }

  return {
    status,
    isDurable,
    limits,
    problem,
    personal,
    notices,
    conversations,
    timelines,
    outbox,
    presence,
    typing,
    call,
    isLoaded,
    isOnline: computed(() => status.value.kind === 'online'),
    start,
    stop,
    connect,
    onPatch,
    send: (request: Request) => must().send(request),
    sendAnew: (clientMsgId: string) => must().sendAnew(clientMsgId),
    discard: (clientMsgId: string) => must().discard(clientMsgId),
    open: (id: string) => must().open(id),
    close: (id: string) => messenger?.close(id),
    loadOlder: (id: string) => must().loadOlder(id),
    type: (id: string, stopped: boolean) => messenger?.typing(id, stopped),
    askOfCall: (request: CallRequest) => messenger?.call(request),
    /** This tab's own name, while the messenger runs. */
    tab: () => messenger?.tab ?? '',
    markRead: (id: string, seq: number) => must().markRead(id, seq),
  }
})
