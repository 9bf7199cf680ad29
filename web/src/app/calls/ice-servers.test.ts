import { expect, it } from 'vitest'
import { hasRelay, iceServersOf } from './ice-servers'

const secret = { username: '1800:7', credential: 'hush' }

it('tells TURN servers who asks, and nobody else', () => {
  expect(iceServersOf({ urls: ['stun:a:3478', 'turn:a:3478', 'turns:b:5349'], ...secret })).toEqual([{ urls: 'stun:a:3478' }, { urls: 'turn:a:3478', ...secret }, { urls: 'turns:b:5349', ...secret }])
})

it.each([
  [['stun:a:3478'], false],
  [['stun:a:3478', 'turns:b:5349'], true],
  [[], false],
])('whether %j relay', (urls, relays) => {
  expect(hasRelay({ urls })).toBe(relays)
  expect(iceServersOf({ urls })).toEqual(urls.map((url) => ({ urls: url })))
})
