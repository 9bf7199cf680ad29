/** What this device sends, and what becomes of devices that nobody needs any more. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { OwnDevices } from './own-devices'

/** A microphone or a camera, as a browser would open it. */
class Track {
  enabled = true
  readyState: 'live' | 'ended' = 'live'
  onended: (() => void) | undefined
  constructor(
    readonly kind: 'audio' | 'video',
    readonly deviceId: string,
  ) {}
  stop(): void {
    this.readyState = 'ended'
  }
  getSettings() {
    return { deviceId: this.deviceId }
  }
}

let opened: Track[]
/** The name by which the next one fails. */
let failure: string | undefined
/** What whoever asks for a device waits for. */
let permission: Promise<void>

beforeEach(() => {
  opened = []
  failure = undefined
  permission = Promise.resolve()
  const getUserMedia = async (wanted: Record<'audio' | 'video', { deviceId?: { exact: string } } | undefined>) => {
    await permission
    if (failure !== undefined) throw new DOMException('no', failure)
    const tracks = (['audio', 'video'] as const).filter((kind) => wanted[kind]).map((kind) => new Track(kind, wanted[kind]!.deviceId?.exact ?? `first ${kind}`))
    opened.push(...tracks)
    const of = (kind: string) => tracks.filter((track) => track.kind === kind)
    return { getTracks: () => tracks, getAudioTracks: () => of('audio'), getVideoTracks: () => of('video') }
  }
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } })
  vi.stubGlobal('RTCPeerConnection', () => {})
  vi.stubGlobal('MediaStream', vi.fn(class {
    readonly active = true
  }))
})
afterEach(() => vi.unstubAllGlobals())

async function sending(wantsVideo: boolean) {
  const told: unknown[] = []
  const devices = new OwnDevices({
    send: async (kind, track) => void told.push(`${kind}: ${(track as unknown as Track | undefined)?.deviceId ?? 'nothing'}`),
    say: (now) => told.push(now),
    warn: ({ reason }) => told.push(reason),
  })
  devices.keep(await devices.open(wantsVideo))
  devices.begin(wantsVideo)
  return { devices, told }
}

const live = () => opened.filter(({ readyState }) => readyState === 'live').map(({ deviceId }) => deviceId)

it('who is muted sends silence, and says so; also with another microphone', async () => {
  const { devices, told } = await sending(false)
  devices.toggleMuted()
  expect(told).toEqual([{ microphone: false, camera: false }])
  expect(opened[0]!.enabled).toBe(false)
  await devices.use('audio', 'headset')
  expect(told.slice(1)).toEqual(['audio: headset', { microphone: false, camera: false }])
  expect([live(), opened[1]!.enabled, devices.shown.microphoneId]).toEqual([['headset'], false, 'headset'])
  devices.toggleMuted()
  expect(opened[1]!.enabled).toBe(true)
})

it('a camera goes out when it is turned off, and comes back when it is turned on', async () => {
  const { devices, told } = await sending(true)
  expect([devices.shown.camera !== undefined, devices.shown.cameraId]).toEqual([true, 'first video'])
  await devices.toggleCamera()
  expect([live(), devices.hasCamera, devices.shown.camera]).toEqual([['first audio'], false, undefined])
  await devices.toggleCamera()
  expect(told).toEqual(['video: nothing', { microphone: true, camera: false }, 'video: first video', { microphone: true, camera: true }])
  expect(live()).toEqual(['first audio', 'first video'])
})

it('a camera is let go before another is opened, and there is none if that fails', async () => {
  const { devices, told } = await sending(true)
  failure = 'NotReadableError'
  await devices.use('video', 'other')
  expect(told).toEqual(['video: nothing', { microphone: true, camera: false }, 'deviceBusy'])
  expect(live()).toEqual(['first audio'])
})

it('a microphone that can not be had leaves the one before', async () => {
  const { devices, told } = await sending(false)
  failure = 'NotFoundError'
  await devices.use('audio', 'gone')
  expect([told, live()]).toEqual([['noMicrophone'], ['first audio']])
})

it('a microphone that is pulled out is replaced by another', async () => {
  const { devices, told } = await sending(false)
  opened[0]!.onended!()
  await vi.waitFor(() => expect(told).toHaveLength(2))
  expect([opened.length, live(), devices.shown.microphoneId]).toEqual([2, ['first audio'], 'first audio'])
})

it('a device that is allowed when the call is over is let go at once', async () => {
  const { devices, told } = await sending(false)
  let allow!: () => void
  permission = new Promise((resolve) => (allow = resolve))
  const used = devices.use('video')
  devices.letGo()
  allow()
  await used
  expect([told, live()]).toEqual([[], []])
})

it('what was opened for a call that is over is given back, but not what another sends', async () => {
  const { devices } = await sending(false)
  const kept = await devices.open(true)
  expect(opened).toHaveLength(1)
  devices.giveBack(kept)
  expect(live()).toEqual(['first audio'])
  devices.letGo()
  devices.giveBack(await devices.open(true))
  expect(live()).toEqual([])
})

it('of a call without pictures that goes on the camera is let go, muted as before', async () => {
  const { devices } = await sending(true)
  devices.toggleMuted()
  devices.begin(false)
  expect([live(), opened[0]!.enabled, devices.shown.camera]).toEqual([['first audio'], false, undefined])
})
