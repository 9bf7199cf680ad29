/** What the server says of the STUN and TURN servers, in the form in which browsers want it. */

/** `TURN_CREDENTIALS`, as `/api/calls/turn` answers it. */
export interface TurnCredentials {
  urls: string[]
  username?: string
  credential?: string
}

/** Only TURN servers are told who asks. */
export function iceServersOf({ urls, username, credential }: TurnCredentials): RTCIceServer[] {
  const secret = { ...(username === undefined ? {} : { username }), ...(credential === undefined ? {} : { credential }) }
  return urls.map((url) => (isRelay(url) ? { urls: url, ...secret } : { urls: url }))
}

/** Whether two can reach each other without either learning the other's address. */
export function hasRelay({ urls }: TurnCredentials): boolean {
  return urls.some(isRelay)
}

function isRelay(url: string): boolean {
  return url.startsWith('turn')
}
