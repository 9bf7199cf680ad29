/** The engine's transport over WebSockets, those of browsers or others of the same form. */
import type { Transport } from '../../engine'

export function webSocketTransport(url: string, Socket: typeof WebSocket = WebSocket): Transport {
  return {
    connect(listener) {
      const socket = new Socket(url)
      socket.onopen = () => listener.opened()
      socket.onmessage = ({ data }) => {
        if (typeof data === 'string') listener.received(data)
      }
      socket.onclose = ({ code, reason }) => listener.closed(code, reason)
      // `close` follows, and says as much as there is to say.
      socket.onerror = () => {}
      return {
        send(frame) {
          if (socket.readyState === Socket.OPEN) socket.send(frame)
        },
        close: () => socket.close(),
      }
    },
  }
}
