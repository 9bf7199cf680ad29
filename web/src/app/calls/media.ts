/** This device's microphone and camera: opening them, and why that does not work. */

/** Why there is no sound or picture from this device. Its words are `calls.end_<reason>`. */
export class MediaProblem extends Error {
  constructor(readonly reason: 'insecure' | 'denied' | 'noMicrophone' | 'noCamera' | 'deviceBusy') {
    super(`no sound or picture: ${reason}`)
    this.name = 'MediaProblem'
  }
}

export type Kind = 'audio' | 'video'

export interface LocalMedia {
  audio: MediaStreamTrack
  /** Absent where there is no camera, or it is not wanted. */
  video?: MediaStreamTrack
  /** A camera was wanted, and this is why there is none. */
  problem?: MediaProblem
}

const SOUND: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true }
const PICTURE: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, facingMode: 'user' }

/** Opens the microphone, and the camera if it is wanted and there is one. @throws MediaProblem without a microphone */
export async function openMedia(wantsVideo: boolean): Promise<LocalMedia> {
  if (!wantsVideo) return { audio: await openTrack('audio') }
  try {
    // Both at once, so that the user is asked once.
    const stream = await devices().getUserMedia({ audio: SOUND, video: PICTURE })
    return { audio: stream.getAudioTracks()[0]!, video: stream.getVideoTracks()[0]! }
  } catch {
    // One of the two is missing: which one, and whether it is needed, shows when they are asked for alone.
    const audio = await openTrack('audio')
    try {
      return { audio, video: await openTrack('video') }
    } catch (error) {
      return { audio, problem: problemOf(error, 'video') }
    }
  }
}

/** Opens one of the two, perhaps a certain one. @throws MediaProblem */
export async function openTrack(kind: Kind, deviceId?: string): Promise<MediaStreamTrack> {
  const wanted = { ...(kind === 'audio' ? SOUND : PICTURE), ...(deviceId === undefined ? {} : { deviceId: { exact: deviceId } }) }
  try {
    const stream = await devices().getUserMedia({ [kind]: wanted })
    return stream.getTracks()[0]!
  } catch (error) {
    throw problemOf(error, kind)
  }
}

/** What sound and picture may come from and go to. Those without a name are passed over: the user has not allowed to see them. */
export async function listDevices(): Promise<MediaDeviceInfo[]> {
  const found = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? []
  return found.filter(({ label, deviceId }) => label !== '' && deviceId !== 'communications')
}

export function release({ audio, video }: LocalMedia): void {
  audio.stop()
  video?.stop()
}

function devices(): MediaDevices {
  // Browsers have none of it on pages that others could have changed on their way.
  if (!navigator.mediaDevices?.getUserMedia || typeof RTCPeerConnection === 'undefined') throw new MediaProblem('insecure')
  return navigator.mediaDevices
}

export function problemOf(error: unknown, kind: Kind): MediaProblem {
  if (error instanceof MediaProblem) return error
  const { name } = error as { name?: string }
  if (name === 'NotAllowedError' || name === 'SecurityError') return new MediaProblem('denied')
  if (name === 'NotReadableError' || name === 'AbortError') return new MediaProblem('deviceBusy')
  return new MediaProblem(kind === 'audio' ? 'noMicrophone' : 'noCamera')
}
