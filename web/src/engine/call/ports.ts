/** What a call needs of the world: a connection between two devices, made by whoever has a browser. */

/** How the way between the two devices is. */
export type PeerState = 'connecting' | 'connected' | 'disconnected' | 'failed'

export interface PeerListener {
  /** A way to reach this device, for the other. */
  candidate(candidate: string): void
  changed(state: PeerState): void
}

/** Under what ways between two devices are tried: `ice-ufrag` and `ice-pwd` of a description. */
export interface IceCredentials {
  name: string
  password: string
}

/** One connection to another device, with this device's sound and picture on it. */
export interface Peer {
  /** Describes this side, as the one that calls. Candidates may be found from then on. */
  offer(): Promise<string>
  /** Takes what the caller has offered and describes this side. Candidates may be found from then on. */
  answer(offer: string): Promise<string>
  /** Takes what the called side has answered. */
  accept(answer: string): Promise<void>
  /** Takes a way to reach the other side, never before its description. One that is of no use is passed over. */
  addCandidate(candidate: string): Promise<void>
  /** Looks for ways anew, as the one that called. Candidates may be found from then on. */
  restart(): Promise<IceCredentials>
  /** Looks for ways anew, as the one that was called. Candidates may be found from then on. */
  answerRestart(credentials: IceCredentials): Promise<IceCredentials>
  /** Takes what the called side has answered to the last `restart`. */
  acceptRestart(credentials: IceCredentials): Promise<void>
  /** Ends it. The listener hears nothing more. */
  close(): void
}
