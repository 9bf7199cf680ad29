import { createPinia, setActivePinia } from 'pinia'
import { afterEach, expect, it, vi } from 'vitest'
import { useSession } from './session'

afterEach(() => vi.unstubAllGlobals())

it('who is no longer an admin of the system is none here either', async () => {
  setActivePinia(createPinia())
  localStorage.setItem('petrel.account', JSON.stringify({ userId: '7', username: 'ada', admin: true }))
  const answers: Record<string, object> = {
    '/api/auth/refresh': { userId: '7', username: 'ada', accessToken: 'token', expiresIn: 900 },
    '/api/users/me': { userId: '7', username: 'ada' },
  }
  vi.stubGlobal('fetch', async (path: string) => Response.json({ code: 0, message: 'ok', data: answers[path] }))
  const session = useSession()
  await session.restore()
  expect(session.account?.admin).toBe(true)
  await session.learn()
  expect(session.account).toEqual({ userId: '7', username: 'ada', admin: false })
})
