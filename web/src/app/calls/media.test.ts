import { afterEach, expect, it, vi } from 'vitest'
import { openMedia, openTrack } from './media'

afterEach(() => vi.unstubAllGlobals())

/** A browser whose devices are there, or fail by these names. */
function browser(fails: { audio?: string; video?: string }) {
  const asked: string[][] = []
  const getUserMedia = (wanted: MediaStreamConstraints) => {
    const kinds = (['audio', 'video'] as const).filter((kind) => wanted[kind])
    asked.push(kinds)
    const failed = kinds.map((kind) => fails[kind]).find((name) => name !== undefined)
    if (failed !== undefined) return Promise.reject(new DOMException('no', failed))
    const track = (kind: string) => ({ kind })
    return Promise.resolve({ getTracks: () => kinds.map(track), getAudioTracks: () => [track('audio')], getVideoTracks: () => [track('video')] })
  }
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } })
  vi.stubGlobal('RTCPeerConnection', () => {})
  return asked
}

it('asks for microphone and camera at once', async () => {
  const asked = browser({})
  expect(await openMedia(true)).toMatchObject({ audio: { kind: 'audio' }, video: { kind: 'video' } })
  expect(asked).toEqual([['audio', 'video']])
})

it('a voice call leaves the camera alone', async () => {
  const asked = browser({})
  expect(await openMedia(false)).toEqual({ audio: { kind: 'audio' } })
  expect(asked).toEqual([['audio']])
})

it.each([
  ['NotFoundError', 'noCamera'],
  ['NotAllowedError', 'denied'],
  ['NotReadableError', 'deviceBusy'],
])('a camera that gives %s does not keep anybody from talking', async (name, reason) => {
  browser({ video: name })
  expect(await openMedia(true)).toMatchObject({ audio: { kind: 'audio' }, problem: { reason } })
})

it.each([
  ['NotFoundError', 'noMicrophone'],
  ['OverconstrainedError', 'noMicrophone'],
  ['NotAllowedError', 'denied'],
  ['NotReadableError', 'deviceBusy'],
])('without a microphone there is no call: %s', async (name, reason) => {
  browser({ audio: name })
  await expect(openMedia(true)).rejects.toMatchObject({ reason })
  await expect(openMedia(false)).rejects.toMatchObject({ reason })
})

it('says that the page is not secure', async () => {
  vi.stubGlobal('navigator', {})
  await expect(openTrack('audio')).rejects.toMatchObject({ reason: 'insecure' })
})
