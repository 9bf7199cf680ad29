/**
 * The engine's connection between two devices, over `RTCPeerConnection`.
 *
 * Sound and picture have their place from the beginning, whether there is something to send
 * or not: so a camera may be turned on later without the two describing themselves again, for
 * which the server's signalling has no frames. Beside them a data channel says what is muted,
 * as nothing in what is sent does.
 */
import type { IceCredentials, Peer, PeerListener } from '../../engine'
import type { Kind } from './media'

/** What somebody sends at present. */
export interface Sending {
  microphone: boolean
  camera: boolean
}

export interface BrowserPeerOptions {
  iceServers: RTCIceServer[]
  /** Whether the two may find each other only through a relay, so that neither learns the other's address. */
  relayOnly: boolean
  tracks: Partial<Record<Kind, MediaStreamTrack>>
  listener: PeerListener
  /** The other side sends another thing than before. */
  onRemote: () => void
}

/** Both sides open the channel under this number, so that neither has to wait for the other. */
const CHANNEL = { negotiated: true, id: 0 }

export class BrowserPeer implements Peer {
  /** What comes from the other side. */
  readonly remote = new MediaStream()
  /** What the other side says it sends, if it says so. */
  remoteSending: Sending | undefined
  readonly #options: BrowserPeerOptions
  readonly #connection: RTCPeerConnection
  readonly #channel: RTCDataChannel
  readonly #tracks: Record<Kind, MediaStreamTrack | undefined>
  #sending: Sending = { microphone: true, camera: false }

  constructor(options: BrowserPeerOptions) {
    const { iceServers, relayOnly, tracks, listener } = options
    this.#options = options
    this.#tracks = { audio: tracks.audio, video: tracks.video }
    this.#connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: relayOnly ? 'relay' : 'all' })
    const connection = this.#connection
    connection.onicecandidate = ({ candidate }) => {
      if (candidate && candidate.candidate !== '') listener.candidate(JSON.stringify(candidate))
    }
    connection.onconnectionstatechange = () => {
      const { connectionState } = connection
      if (connectionState !== 'new' && connectionState !== 'closed') listener.changed(connectionState)
    }
    connection.ontrack = ({ track }) => {
      this.remote.addTrack(track)
      track.onmute = track.onunmute = () => options.onRemote()
      options.onRemote()
    }
    this.#channel = connection.createDataChannel('sending', CHANNEL)
    this.#channel.onopen = () => this.#saySending()
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => this.#hearSending(data)
  }

  async offer(): Promise<string> {
    for (const kind of ['audio', 'video'] as const) {
      this.#connection.addTransceiver(this.#tracks[kind] ?? kind, { direction: 'sendrecv' })
    }
    await this.#connection.setLocalDescription()
    return this.#connection.localDescription!.sdp
  }

  async answer(offer: string): Promise<string> {
    await this.#connection.setRemoteDescription({ type: 'offer', sdp: offer })
    for (const transceiver of this.#connection.getTransceivers()) {
      transceiver.direction = 'sendrecv'
      await transceiver.sender.replaceTrack(this.#tracks[transceiver.receiver.track.kind as Kind] ?? null)
    }
    await this.#connection.setLocalDescription()
    return this.#connection.localDescription!.sdp
  }

  async accept(answer: string): Promise<void> {
    await this.#connection.setRemoteDescription({ type: 'answer', sdp: answer })
  }

  async addCandidate(candidate: string): Promise<void> {
    try {
      await this.#connection.addIceCandidate(JSON.parse(candidate) as RTCIceCandidateInit)
    } catch {
      // Another may do.
    }
  }

  async restart(): Promise<IceCredentials> {
    const connection = this.#connection
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }))
    return credentialsIn(connection.localDescription!.sdp)
  }

  async answerRestart(credentials: IceCredentials): Promise<IceCredentials> {
    const connection = this.#connection
    await connection.setRemoteDescription({ type: 'offer', sdp: this.#remoteWith(credentials) })
    await connection.setLocalDescription()
    return credentialsIn(connection.localDescription!.sdp)
  }

  async acceptRestart(credentials: IceCredentials): Promise<void> {
    await this.#connection.setRemoteDescription({ type: 'answer', sdp: this.#remoteWith(credentials) })
  }

  /** What the other side would say of itself now: the same as ever, under another name. */
  #remoteWith({ name, password }: IceCredentials): string {
    return this.#connection
      .currentRemoteDescription!.sdp.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, '')
      .replace(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:${name}`)
      .replace(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${password}`)
  }

  /** Sends something else in the place of what was sent, or nothing. */
  async send(kind: Kind, track: MediaStreamTrack | undefined): Promise<void> {
    this.#tracks[kind] = track
    const transceiver = this.#connection.getTransceivers().find(({ receiver }) => receiver.track.kind === kind)
    await transceiver?.sender.replaceTrack(track ?? null)
  }

  /** Tells the other side what is sent. */
  say(sending: Sending): void {
    this.#sending = sending
    this.#saySending()
  }

  stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats()
  }

  close(): void {
    const connection = this.#connection
    connection.onicecandidate = connection.onconnectionstatechange = connection.ontrack = null
    connection.close()
  }

  #saySending(): void {
    if (this.#channel.readyState === 'open') this.#channel.send(JSON.stringify(this.#sending))
  }

  #hearSending(data: unknown): void {
    try {
      const { microphone, camera } = JSON.parse(String(data)) as Partial<Sending>
      if (typeof microphone !== 'boolean' || typeof camera !== 'boolean') return
      this.remoteSending = { microphone, camera }
      this.#options.onRemote()
    } catch {
      // Whatever another client says here, it is not about what it sends.
    }
  }
}

/** All of a connection goes over one way, so there is one name for it. */
function credentialsIn(sdp: string): IceCredentials {
  const [, name] = /^a=ice-ufrag:(.+?)\r?$/m.exec(sdp) ?? []
  const [, password] = /^a=ice-pwd:(.+?)\r?$/m.exec(sdp) ?? []
  if (name === undefined || password === undefined) throw new Error('a description without credentials')
  return { name, password }
}
