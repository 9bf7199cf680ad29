/**
 * The call in this tab: from opening the microphone to the end, with all that the user can do
 * in between. What two devices say to each other is the engine's (`Call`); what is shown of it
 * are the components beside this file.
 */
import { defineStore } from 'pinia'
import { computed, markRaw, reactive, ref, shallowRef, watch } from 'vue'
import { Call, isLive, type CallEnd, type CallMedia, type CallState, type CallView, type Patch } from '../../engine'
import { systemClock, systemRandom } from '../platform/world'
import { useCalls } from '../stores/calls'
import { useMessenger } from '../stores/messenger'
import { useSession } from '../stores/session'
import { useToasts } from '../stores/toasts'
import { BrowserPeer } from './browser-peer'
import { endWords, problemWords } from './end-words'
import { hasRelay, iceServersOf, type TurnCredentials } from './ice-servers'
import { MediaProblem, type Kind } from './media'
import { OwnDevices } from './own-devices'
import { QualityWatch } from './quality'
import { isResumed, Resuming } from './resuming'

/** For how long the other call may come of two people who call each other, in milliseconds. */
const GLARE_MS = 4_000

/** As long as the server has not taken a call, another one may come before it. */
const BEFORE_RINGING = new Set<Talk['phase']>(['opening', 'beginning', 'dialling'])

/** What is shown of a call. */
export interface Talk {
  callId: string
  /** The first of the calls that are one to the two who talk: itself, if they were never cut off. */
  first: string
  peer: string
  media: CallMedia
  direction: CallView['direction']
  /** `opening` while the browser is asked for the microphone. */
  phase: 'opening' | CallState['phase']
  connectedAt?: number
  /** When it was over. */
  overAt?: number
  end?: CallEnd
}

/** Whether it may be answered in this tab. */
export function isRinging(view: CallView | undefined): view is CallView {
  return isOffered(view) && !isResumed(view)
}

function isOffered(view: CallView | undefined): view is CallView {
  return view?.phase === 'ringing' && view.direction === 'incoming' && view.tab === undefined
}

export const useCurrentCall = defineStore('currentCall', () => {
  const calls = useCalls()
  const messenger = useMessenger()
  const session = useSession()
  const toasts = useToasts()

  const talk = shallowRef<Talk>()
  /** What comes from the other side, and what it says of it. */
  const remote = reactive<{ stream: MediaStream | undefined; isMuted: boolean; hasPicture: boolean }>({ stream: undefined, isMuted: false, hasPicture: false })
  const isPoorly = ref(false)
  const isSmall = ref(false)

  let call: Call | undefined
  let peer: BrowserPeer | undefined
  const devices = new OwnDevices({
    send: async (kind, track) => await peer?.send(kind, track),
    say: (sending) => peer?.say(sending),
    warn: (problem) => toasts.show(problemWords(problem), { tone: 'danger' }),
  })
  const quality = new QualityWatch({
    clock: systemClock,
    stats: () => peer?.stats().then((report) => [...(report as unknown as Map<string, Record<string, unknown>>).values()]),
    onMeasured: (isPoor) => (isPoorly.value = isPoor),
  })
  /** The call for which everything is being opened, before there is a `call`. */
  let preparing: string | undefined
  /** Both have called each other, and the server lets the other's call go on: until it comes. */
  let glaring: { cancel: () => void } | undefined

  /** The call that was over last in this tab. */
  let left = ''
  const resuming = new Resuming({
    clock: systemClock,
    isOnline: () => messenger.isOnline,
    connect: () => messenger.connect(),
    redial: () => void redial(),
    giveUp: (reason) => {
      const attempt = call
      finish(reason)
      attempt?.hangUp()
    },
  })

  const isOver = computed(() => talk.value?.phase === 'over')

  messenger.onPatch((patch: Patch) => {
    if (patch.call !== undefined || patch.reset) hear(patch.call)
  })

  watch(() => messenger.isOnline, (isOnline) => isOnline && resuming.online())
  // The way between the two leads through the network that was.
  addEventListener('online', () => call?.networkChanged())

  // Whoever logs out does not talk on.
  watch(() => session.userId, () => {
    hangUp()
    dismiss()
  })

  async function dial(userId: string, media: CallMedia): Promise<void> {
    const callId = systemRandom.uuid()
    if (!begin({ callId, first: callId, peer: userId, media, direction: 'outgoing', phase: 'opening' })) return
    if (await prepare(callId, media === 'video')) call?.dial(userId, media)
  }

  /** Calls once more whom this device was cut off from. */
  async function redial(): Promise<void> {
    const now = talk.value
    if (!now || isAttempting()) return
    const callId = systemRandom.uuid()
    talk.value = { ...now, callId, direction: 'outgoing' }
    if (await prepare(callId, devices.hasCamera)) call?.dial(now.peer, now.media, now.first)
  }

  /** Also while the other side's call is about to be taken: one of one's own would come between. */
  function isAttempting(): boolean {
    return call !== undefined || preparing !== undefined
  }

  /** Takes the call that rings, with or without this device's own picture. */
  async function answer(view: CallView, wantsVideo: boolean): Promise<void> {
    const { callId, peer: from, media } = view
    if (!begin({ callId, first: callId, peer: from, media, direction: 'incoming', phase: 'opening' })) return
    await take(callId, wantsVideo)
  }

  async function take(callId: string, wantsVideo: boolean): Promise<void> {
    messenger.askOfCall({ kind: 'take', callId, tab: messenger.tab() })
    if (!(await prepare(callId, wantsVideo))) return
    const now = messenger.call
    if (isLive(now) && now.callId === callId) call?.answer(now)
    else end(callId, now?.callId === callId && now.end ? now.end : { reason: 'lost' })
  }

  function begin(next: Talk): boolean {
    if (talk.value && !isOver.value) return false
    talk.value = next
    calls.isHere = true
    devices.isMuted.value = false
    isSmall.value = false
    isPoorly.value = false
    remote.stream = undefined
    remote.isMuted = false
    remote.hasPicture = false
    return true
  }

  /** Opens what is to be sent and asks how to be reached. False if that is the end of it. */
  async function prepare(callId: string, wantsVideo: boolean): Promise<boolean> {
    preparing = callId
    const [opened, asked] = await Promise.allSettled([devices.open(wantsVideo), session.http.ask<TurnCredentials>('/api/calls/turn')])
    if (preparing === callId) preparing = undefined
    if (talk.value?.callId !== callId || isOver.value) {
      // What is open may be what another attempt sends.
      if (opened.status === 'fulfilled') devices.giveBack(opened.value)
      return false
    }
    if (opened.status === 'fulfilled') devices.keep(opened.value)
    if (opened.status === 'rejected' || asked.status === 'rejected') {
      fail(callId, opened.status === 'rejected' ? opened.reason : (asked as PromiseRejectedResult).reason)
      return false
    }
    if (calls.relayOnly && !hasRelay(asked.value)) {
      fail(callId, { reason: 'noRelay' })
      return false
    }
    devices.begin(wantsVideo)
    join(callId, asked.value)
    return true
  }

  function join(callId: string, turn: TurnCredentials): void {
    call = new Call({
      callId,
      tab: messenger.tab(),
      clock: systemClock,
      log: (message, detail) => console.warn(`petrel: ${message}`, detail ?? ''),
      connect: (listener) => {
        peer = markRaw(new BrowserPeer({ iceServers: iceServersOf(turn), relayOnly: calls.relayOnly, tracks: devices.tracks, listener, onRemote: lookAtRemote }))
        return peer
      },
      say: (request) => messenger.askOfCall(request),
      onChange: (state) => follow(callId, state),
    })
    devices.say()
  }

  /** The session's side of a call has changed, in whichever tab it is. */
  function hear(view: CallView | undefined): void {
    const now = talk.value
    if (isOffered(view) && isResumed(view)) {
      goOn(view)
      return
    }
    if (now?.direction === 'outgoing' && BEFORE_RINGING.has(now.phase) && isRinging(view)) {
      giveWay(now, view)
      return
    }
    if (call) call.hear(view)
    // Nobody can take a call any more that ended while the microphone was opened, or was taken elsewhere.
    else if (talk.value?.direction === 'incoming' && !isOver.value) {
      const { callId } = talk.value
      if (view?.callId !== callId && resuming.isWaiting) return
      if (view?.callId !== callId) end(callId, { reason: 'lost' })
      else if (view.phase === 'over') end(callId, view.end ?? { reason: 'hungUp' })
      else if (view.tab !== undefined && view.tab !== messenger.tab()) end(callId, { reason: 'answeredElsewhere' })
    }
  }

  /** The other side is back. Whoever has hung up meanwhile says so; the other tabs and devices of the user have no part in it. */
  function goOn(view: CallView): void {
    const now = talk.value
    const { resumes } = view
    if (!resuming.isWaiting || now?.peer !== view.peer || now.first !== resumes) {
      if (resumes === left) messenger.askOfCall({ kind: 'reject', callId: view.callId })
      return
    }
    talk.value = { ...now, callId: view.callId, direction: 'incoming' }
    call?.hangUp()
    call = undefined
    peer = undefined
    void take(view.callId, devices.hasCamera)
  }

  /** Somebody calls while this tab has not got through with its own call. The same two want the same: the call is answered. */
  function giveWay(own: Talk, view: CallView): void {
    const isSame = view.peer === own.peer
    glaring?.cancel()
    glaring = undefined
    talk.value = { ...own, phase: 'over' }
    call?.hangUp()
    call = undefined
    peer = undefined
    if (!isSame) letGo()
    if (isSame) void answer(view, own.media === 'video')
    else dismiss()
  }

  function follow(callId: string, { phase, connectedAt, end: reason }: CallState): void {
    const now = talk.value
    if (now?.callId !== callId) return
    if (phase === 'over' && reason?.reason === 'glare' && now.direction === 'outgoing' && !resuming.isWaiting) {
      waitForOther(now, reason)
      return
    }
    if (phase === 'over') {
      end(callId, reason ?? { reason: 'hungUp' })
      return
    }
    const wasWaiting = resuming.isWaiting
    if (phase === 'connected') resuming.stop()
    if (phase === 'connected' && (now.connectedAt === undefined || wasWaiting)) quality.start()
    // Perhaps the session is gone as well, and has not noticed.
    if (phase === 'reconnecting') messenger.connect()
    // To who talks, it is the call that it was.
    const shown = resuming.isWaiting ? 'reconnecting' : phase
    const since = now.connectedAt ?? connectedAt
    talk.value = { ...now, phase: shown, ...(since === undefined ? {} : { connectedAt: since }) }
  }

  /** Both have called. The other's call comes, and is what both want: it is answered with what is open already. */
  function waitForOther(now: Talk, reason: CallEnd): void {
    call = undefined
    peer = undefined
    const cancel = systemClock.after(GLARE_MS, () => {
      glaring = undefined
      end(now.callId, reason)
    })
    glaring = { cancel }
    talk.value = { ...now, phase: 'dialling' }
  }

  function end(callId: string, reason: CallEnd): void {
    const now = talk.value
    if (now?.callId !== callId || now.phase === 'over') return
    if (resuming.takes(reason, now.connectedAt !== undefined)) {
      letGoOfOther()
      talk.value = { ...now, phase: 'reconnecting' }
      return
    }
    finish(reason)
  }

  function finish(reason: CallEnd): void {
    letGo()
    left = talk.value!.first
    talk.value = { ...talk.value!, phase: 'over', end: reason, overAt: Date.now() }
  }

  function fail(callId: string, error: unknown): void {
    const { reason = 'internal', message } = error as { reason?: string; message?: string }
    // Whoever can't be heard here may be in another tab, on another device, or once the cause is away.
    messenger.askOfCall({ kind: 'leave', callId, tab: messenger.tab() })
    end(callId, { reason, ...(message === undefined || error instanceof MediaProblem ? {} : { message }) })
  }

  function hangUp(): void {
    const now = talk.value
    if (!now || now.phase === 'over') return
    glaring?.cancel()
    glaring = undefined
    const wasWaiting = resuming.isWaiting
    resuming.stop()
    if (call) call.hangUp()
    else {
      if (wasWaiting) messenger.askOfCall({ kind: 'hangUp', callId: now.callId })
      else if (now.direction === 'incoming') messenger.askOfCall({ kind: 'reject', callId: now.callId })
      end(now.callId, { reason: 'cancelled' })
    }
  }

  /** Takes what was said of the last call away. */
  function dismiss(): void {
    if (talk.value && !isOver.value) return
    talk.value = undefined
    calls.isHere = false
  }

  function letGo(): void {
    letGoOfOther()
    devices.letGo()
  }

  /** What comes from the other side does so no more; what is open here may be sent once more. */
  function letGoOfOther(): void {
    quality.stop()
    call = undefined
    peer = undefined
    remote.stream = undefined
    remote.hasPicture = false
    isPoorly.value = false
  }

  function lookAtRemote(): void {
    if (!peer) return
    const { remote: stream, remoteSending } = peer
    remote.stream = markRaw(stream)
    remote.isMuted = remoteSending?.microphone === false
    remote.hasPicture = stream.getVideoTracks().some(({ muted }) => !muted) && remoteSending?.camera !== false
  }

  return {
    talk,
    isOver,
    isMuted: devices.isMuted,
    own: devices.shown,
    remote,
    isPoorly,
    isSmall,
    words: computed(() => (talk.value?.end ? endWords(talk.value) : '')),
    dial,
    answer,
    hangUp,
    dismiss,
    toggleMuted: () => devices.toggleMuted(),
    toggleCamera: () => devices.toggleCamera(),
    use: (kind: Kind, deviceId?: string) => devices.use(kind, deviceId),
  }
})
