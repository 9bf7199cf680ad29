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
import { openMedia, openTrack, problemOf, release, MediaProblem, type Kind, type LocalMedia } from './media'
import { isPoor, sampleOf, type Sample } from './quality'
import { isResumed, nextOf, Resuming, rootOf } from './resuming'

/** How often the way is measured, in milliseconds. */
const SAMPLE_MS = 2_000
/** For how long the other call may come of two people who call each other, in milliseconds. */
const GLARE_MS = 4_000

/** As long as the server has not taken a call, another one may come before it. */
const BEFORE_RINGING = new Set<Talk['phase']>(['opening', 'beginning', 'dialling'])

interface TurnCredentials {
  urls: string[]
  username?: string
  credential?: string
}

/** What is shown of a call. */
export interface Talk {
  callId: string
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
  const isMuted = ref(false)
  const own = reactive<{ camera: MediaStream | undefined; microphoneId: string; cameraId: string }>({ camera: undefined, microphoneId: '', cameraId: '' })
  /** What comes from the other side, and what it says of it. */
  const remote = reactive<{ stream: MediaStream | undefined; isMuted: boolean; hasPicture: boolean }>({ stream: undefined, isMuted: false, hasPicture: false })
  const isPoorly = ref(false)
  const isSmall = ref(false)

  let call: Call | undefined
  let peer: BrowserPeer | undefined
  let local: LocalMedia | undefined
  /** The call for which everything is being opened, before there is a `call`. */
  let preparing: string | undefined
  let cancelSampling: () => void = () => {}
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
    if (!begin({ callId, peer: userId, media, direction: 'outgoing', phase: 'opening' })) return
    if (await prepare(callId, media === 'video')) call?.dial(userId, media)
  }

  /** Calls once more whom this device was cut off from. */
  async function redial(): Promise<void> {
    const now = talk.value
    if (!now || isAttempting()) return
    const callId = nextOf(now.callId, systemRandom.uuid())
    talk.value = { ...now, callId, direction: 'outgoing' }
    if (await prepare(callId, local?.video !== undefined)) call?.dial(now.peer, now.media)
  }

  /** Also while the other side's call is about to be taken: one of one's own would come between. */
  function isAttempting(): boolean {
    return call !== undefined || preparing !== undefined
  }

  /** Takes the call that rings, with or without this device's own picture. */
  async function answer(view: CallView, wantsVideo: boolean): Promise<void> {
    const { callId, peer: from, media } = view
    if (!begin({ callId, peer: from, media, direction: 'incoming', phase: 'opening' })) return
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
    isMuted.value = false
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
    const [opened, asked] = await Promise.allSettled([local ?? openMedia(wantsVideo), session.http.ask<TurnCredentials>('/api/calls/turn')])
    if (preparing === callId) preparing = undefined
    if (talk.value?.callId !== callId || isOver.value) {
      // What is open may be what another attempt sends.
      if (opened.status === 'fulfilled' && opened.value !== local) release(opened.value)
      return false
    }
    if (opened.status === 'fulfilled') local = opened.value
    const failed = [opened, asked].find(({ status }) => status === 'rejected')
    if (failed || !local || asked.status === 'rejected') {
      fail(callId, (failed as PromiseRejectedResult).reason)
      return false
    }
    if (calls.relayOnly && !asked.value.urls.some((url) => url.startsWith('turn'))) {
      fail(callId, { reason: 'noRelay' })
      return false
    }
    if (local.problem) toasts.show(problemWords(local.problem), { tone: 'danger' })
    if (!wantsVideo && local.video) {
      local.video.stop()
      delete local.video
    }
    local.audio.enabled = !isMuted.value
    showOwn()
    join(callId, asked.value)
    return true
  }

  function join(callId: string, { urls, username, credential }: TurnCredentials): void {
    const iceServers = urls.map((url) => (url.startsWith('stun') ? { urls: url } : { urls: url, ...(username === undefined ? {} : { username }), ...(credential === undefined ? {} : { credential }) }))
    call = new Call({
      callId,
      tab: messenger.tab(),
      clock: systemClock,
      log: (message, detail) => console.warn(`petrel: ${message}`, detail ?? ''),
      connect: (listener) => {
        const { audio, video } = local!
        peer = markRaw(new BrowserPeer({ iceServers, relayOnly: calls.relayOnly, tracks: { audio, ...(video ? { video } : {}) }, listener, onRemote: lookAtRemote }))
        return peer
      },
      say: (request) => messenger.askOfCall(request),
      onChange: (state) => follow(callId, state),
    })
    saySending()
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
    const root = rootOf(view.callId)
    if (!resuming.isWaiting || now?.peer !== view.peer || rootOf(now.callId) !== root) {
      if (root === left) messenger.askOfCall({ kind: 'reject', callId: view.callId })
      return
    }
    talk.value = { ...now, callId: view.callId, direction: 'incoming' }
    call?.hangUp()
    call = undefined
    peer = undefined
    void take(view.callId, local?.video !== undefined)
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
    if (phase === 'connected' && (now.connectedAt === undefined || wasWaiting)) sample()
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
    left = rootOf(talk.value!.callId)
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
    resuming.stop()
    if (call) call.hangUp()
    else {
      if (now.direction === 'incoming') messenger.askOfCall({ kind: 'reject', callId: now.callId })
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
    if (local) release(local)
    local = undefined
    own.camera = undefined
  }

  /** What comes from the other side does so no more; what is open here may be sent once more. */
  function letGoOfOther(): void {
    cancelSampling()
    cancelSampling = () => {}
    call = undefined
    peer = undefined
    remote.stream = undefined
    remote.hasPicture = false
    isPoorly.value = false
  }

  function toggleMuted(): void {
    if (!local) return
    isMuted.value = !isMuted.value
    local.audio.enabled = !isMuted.value
    saySending()
  }

  async function toggleCamera(): Promise<void> {
    if (!local) return
    if (local.video) {
      local.video.stop()
      delete local.video
      await replace('video', undefined)
    } else {
      await use('video')
    }
  }

  /** Takes sound or picture from another device. */
  async function use(kind: Kind, deviceId?: string): Promise<void> {
    const now = talk.value
    try {
      // Many phones open one camera at a time.
      if (kind === 'video') local?.video?.stop()
      const track = await openTrack(kind, deviceId)
      if (!local || talk.value?.callId !== now?.callId) {
        track.stop()
        return
      }
      if (kind === 'audio') local.audio.stop()
      local[kind] = track
      if (kind === 'audio') track.enabled = !isMuted.value
      await replace(kind, track)
    } catch (error) {
      if (kind === 'video' && local?.video?.readyState === 'ended') {
        delete local.video
        await replace('video', undefined)
      }
      toasts.show(problemWords(problemOf(error, kind)), { tone: 'danger' })
    }
  }

  async function replace(kind: Kind, track: MediaStreamTrack | undefined): Promise<void> {
    showOwn()
    await peer?.send(kind, track)
    saySending()
  }

  function showOwn(): void {
    own.camera = local?.video ? markRaw(new MediaStream([local.video])) : undefined
    own.cameraId = local?.video?.getSettings().deviceId ?? ''
    own.microphoneId = local?.audio.getSettings().deviceId ?? ''
    // A device that is pulled out is gone; one that is stopped here says nothing.
    if (local?.video) local.video.onended = () => void toggleCamera()
    if (local) local.audio.onended = () => void use('audio')
  }

  function saySending(): void {
    peer?.say({ microphone: !isMuted.value, camera: local?.video !== undefined })
  }

  function lookAtRemote(): void {
    if (!peer) return
    const { remote: stream, remoteSending } = peer
    remote.stream = markRaw(stream)
    remote.isMuted = remoteSending?.microphone === false
    remote.hasPicture = stream.getVideoTracks().some(({ muted }) => !muted) && remoteSending?.camera !== false
  }

  function sample(): void {
    let before: Sample | undefined
    const again = () => {
      cancelSampling = systemClock.after(SAMPLE_MS, () => {
        void peer?.stats().then((report) => {
          const now = sampleOf([...(report as unknown as Map<string, Record<string, unknown>>).values()])
          if (before) isPoorly.value = isPoor(before, now)
          before = now
          if (!isOver.value) again()
        })
      })
    }
    again()
  }

  return { talk, isOver, isMuted, own, remote, isPoorly, isSmall, words: computed(() => (talk.value?.end ? endWords(talk.value) : '')), dial, answer, hangUp, dismiss, toggleMuted, toggleCamera, use }
})
