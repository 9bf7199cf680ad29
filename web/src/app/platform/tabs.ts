/** Tabs of a browser: Web Locks say who leads and who is there, a BroadcastChannel carries the words. */
import type { Tabs, Word } from '../../engine/tabs/ports'

export function browserTabs(name: string): Tabs {
  const channel = new BroadcastChannel(name)
  const leaving = new AbortController()
  let release: () => void = () => {}
  return {
    lead(onLead) {
      navigator.locks
        .request(name, { signal: leaving.signal }, () => {
          onLead()
          return new Promise<void>((resolve) => {
            release = resolve
          })
        })
        .catch((error: unknown) => {
          if (!leaving.signal.aborted) throw error
        })
    },
    be(tab) {
      const held = new Promise<void>((resolve) => leaving.signal.addEventListener('abort', () => resolve()))
      void navigator.locks.request(`${name} ${tab}`, () => held)
    },
    whenGone(tab, onGone) {
      navigator.locks.request(`${name} ${tab}`, { signal: leaving.signal }, onGone).catch((error: unknown) => {
        if (!leaving.signal.aborted) throw error
      })
    },
    say: (word) => channel.postMessage(word),
    hear(listener) {
      channel.onmessage = ({ data }: MessageEvent<Word>) => listener(data)
    },
    leave() {
      leaving.abort()
      release()
      channel.close()
    },
  }
}
