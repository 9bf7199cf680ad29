/**
 * What this device sends in a call: its microphone and camera while they are open, what is muted,
 * and what takes the place of what. Opening them is `media.ts`; who hears of it is told by
 * `send` and `say`.
 */
import { markRaw, reactive, ref } from 'vue'
import type { Sending } from './browser-peer'
import { openMedia, openTrack, problemOf, release, type Kind, type LocalMedia, type MediaProblem } from './media'

export interface OwnDevicesOptions {
  /** Something else is sent from now on, or nothing. */
  send: (kind: Kind, track: MediaStreamTrack | undefined) => Promise<void>
  /** What is sent at present. */
  say: (sending: Sending) => void
  /** There is no sound or picture, where some was wanted. */
  warn: (problem: MediaProblem) => void
}

export class OwnDevices {
  readonly isMuted = ref(false)
  /** What is shown of them. */
  readonly shown = reactive<{ camera: MediaStream | undefined; microphoneId: string; cameraId: string }>({ camera: undefined, microphoneId: '', cameraId: '' })
  readonly #options: OwnDevicesOptions
  #media: LocalMedia | undefined

  constructor(options: OwnDevicesOptions) {
    this.#options = options
  }

  get tracks(): Partial<Record<Kind, MediaStreamTrack>> {
    const { audio, video } = this.#media ?? {}
    return { ...(audio ? { audio } : {}), ...(video ? { video } : {}) }
  }

  get hasCamera(): boolean {
    return this.#media?.video !== undefined
  }

  /** What is open already, or is opened now. It is to be kept, or given back. @throws MediaProblem without a microphone */
  async open(wantsVideo: boolean): Promise<LocalMedia> {
    return this.#media ?? (await openMedia(wantsVideo))
  }

  /** Stops what `open` gave, if nobody sends it. */
  giveBack(opened: LocalMedia): void {
    if (opened !== this.#media) release(opened)
  }

  keep(opened: LocalMedia): void {
    this.#media = opened
  }

  /** What is kept is about to be sent, with a picture only if one is wanted. */
  begin(wantsVideo: boolean): void {
    const media = this.#media
    if (!media) return
    if (media.problem) this.#options.warn(media.problem)
    if (!wantsVideo && media.video) dropCamera(media)
    media.audio.enabled = !this.isMuted.value
    this.#show()
  }

  letGo(): void {
    if (this.#media) release(this.#media)
    this.#media = undefined
    this.shown.camera = undefined
  }

  toggleMuted(): void {
    if (!this.#media) return
    this.isMuted.value = !this.isMuted.value
    this.#media.audio.enabled = !this.isMuted.value
    this.say()
  }

  async toggleCamera(): Promise<void> {
    const media = this.#media
    if (!media) return
    if (media.video) {
      dropCamera(media)
      await this.#replace('video', undefined)
    } else {
      await this.use('video')
    }
  }

  /** Takes sound or picture from another device. */
  async use(kind: Kind, deviceId?: string): Promise<void> {
    const media = this.#media
    if (!media) return
    try {
      // Many phones open one camera at a time.
      if (kind === 'video') media.video?.stop()
      const track = await openTrack(kind, deviceId)
      if (media !== this.#media) {
        track.stop()
        return
      }
      if (kind === 'audio') {
        media.audio.stop()
        track.enabled = !this.isMuted.value
      }
      media[kind] = track
      await this.#replace(kind, track)
    } catch (error) {
      if (kind === 'video' && media === this.#media && media.video?.readyState === 'ended') {
        dropCamera(media)
        await this.#replace('video', undefined)
      }
      this.#options.warn(problemOf(error, kind))
    }
  }

  /** Tells the other side what is sent. */
  say(): void {
    this.#options.say({ microphone: !this.isMuted.value, camera: this.hasCamera })
  }

  async #replace(kind: Kind, track: MediaStreamTrack | undefined): Promise<void> {
    this.#show()
    await this.#options.send(kind, track)
    this.say()
  }

  #show(): void {
    const { audio, video } = this.#media ?? {}
    this.shown.camera = video ? markRaw(new MediaStream([video])) : undefined
    this.shown.cameraId = video?.getSettings().deviceId ?? ''
    this.shown.microphoneId = audio?.getSettings().deviceId ?? ''
    // A device that is pulled out is gone; one that is stopped here says nothing.
    if (video) video.onended = () => void this.toggleCamera()
    if (audio) audio.onended = () => void this.use('audio')
  }
}

function dropCamera(media: LocalMedia): void {
  media.video?.stop()
  delete media.video
}
