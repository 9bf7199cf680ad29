/** People who speak to the server without a browser, to set a scene quickly. */
import WebSocket from 'ws'

export const PASSWORD = 'a storm petrel in a gale'

export class ServerApi {
  constructor(private readonly base: string) {}

  async register(username: string): Promise<Caller> {
    const caller = new Caller(this.base)
    const { userId, accessToken } = await caller.post('/api/auth/register', { username, password: PASSWORD })
    return Object.assign(caller, { userId, token: accessToken })
  }

  async logIn(username: string): Promise<Caller> {
    const caller = new Caller(this.base)
    const { userId, accessToken } = await caller.post('/api/auth/login', { username, password: PASSWORD })
    return Object.assign(caller, { userId, token: accessToken })
  }
}

export class Caller {
  userId = ''
  token = ''
  #names = 0

  constructor(private readonly base: string) {}

  post(path: string, body: object = {}): Promise<any> {
    return this.ask('POST', path, body)
  }

  async ask(method: 'POST' | 'PUT' | 'PATCH', path: string, body: object = {}): Promise<any> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(this.token === '' ? {} : { authorization: `Bearer ${this.token}` }) },
      body: JSON.stringify({ clientMsgId: `${this.userId}-${(this.#names += 1)}`, ...body }),
    })
    const answer = await response.json()
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`)
    return answer.data
  }

  /** Uploads a file. Returns its id. */
  async upload(name: string, type: string, bytes: Uint8Array): Promise<string> {
    const response = await fetch(`${this.base}/api/files?name=${encodeURIComponent(name)}`, { method: 'POST', headers: { 'content-type': type, authorization: `Bearer ${this.token}` }, body: bytes as BodyInit })
    const answer = await response.json()
    if (!response.ok) throw new Error(`${name}: ${JSON.stringify(answer)}`)
    return answer.data.fileId
  }

  /** Says many things to somebody, as fast as the server takes them. Returns the conversation. */
  async saysAll(to: string, bodies: string[]): Promise<string> {
    const socket = new WebSocket(`${this.base.replace('http', 'ws')}/ws?v=1&deviceId=scene&token=${this.token}`)
    const window = 100
    const conversation = await new Promise<string>((resolve, reject) => {
      let sent = 0
      let saved = 0
      const send = () => {
        while (sent < bodies.length && sent - saved < window) {
          socket.send(JSON.stringify({ type: 'SINGLE_CHAT', clientMsgId: `s${sent}`, to, body: bodies[sent] }))
          sent += 1
        }
      }
      socket.on('error', reject)
      socket.on('message', (data) => {
        const frame = JSON.parse(String(data))
        if (frame.type === 'AUTH_OK') send()
        if (frame.type === 'ERROR') reject(new Error(String(data)))
        if (frame.type !== 'ACK' || frame.ackType !== 'saved') return
        saved += 1
        if (saved === bodies.length) resolve(frame.conversationId)
        else send()
      })
    })
    socket.close()
    return conversation
  }
}
