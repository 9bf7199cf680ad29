/** How the server serves the client: to browsers, and to whoever asks otherwise. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { get, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { RealServer } from '../integration/server'

let server: RealServer
beforeAll(async () => {
  server = await RealServer.start()
})
afterAll(() => server.remove())

const PAGE = { accept: 'text/html' }

async function ask(path: string, headers: Record<string, string> = {}): Promise<{ response: IncomingMessage; body: Buffer }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => get(`${server.http}${path}`, { headers }, resolve).on('error', reject))
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { response, body: Buffer.concat(chunks) }
}

it('every form of a file is the same file', async () => {
  const page = String((await ask('/')).body)
  const [script] = /\/assets\/[^"]+\.js/.exec(page)!
  const plain = await ask(script, { 'accept-encoding': 'identity' })
  expect(plain.response.headers['content-encoding']).toBeUndefined()
  for (const [encoding, decoded] of [['br', brotliDecompressSync], ['gzip', gunzipSync]] as const) {
    const { response, body } = await ask(script, { 'accept-encoding': encoding })
    expect(response.headers['content-encoding']).toBe(encoding)
    expect(body.length).toBeLessThan(plain.body.length / 2)
    expect(decoded(body).equals(plain.body)).toBe(true)
  }
  expect(plain.response.headers['cache-control']).toContain('immutable')
})

it('the page is asked for each time, and costs nothing when it is known', async () => {
  const { response } = await ask('/', PAGE)
  expect(response.headers['cache-control']).toBe('no-cache')
  const again = await ask('/chats/17', { ...PAGE, 'if-none-match': response.headers.etag! })
  expect(again.response.statusCode).toBe(304)
  expect(again.body.length).toBe(0)
})

it('nothing in the page is inline, and nothing may come from elsewhere', async () => {
  const { response, body } = await ask('/', PAGE)
  expect(String(body)).not.toMatch(/<script(?![^>]* src=)|<style|style="|https?:/)
  const policy = response.headers['content-security-policy']!
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/unsafe|\*|https?:/)
})

it('no path of the server is swallowed by the client', async () => {
  for (const path of ['/api/nothing', '/assets/nothing.js', '/files/1', '/ws']) {
    const { response, body } = await ask(path, PAGE)
    expect(response.headers['content-type'], path).not.toContain('text/html')
    expect(String(body), path).not.toContain('id="app"')
  }
  expect(String((await ask('/healthz')).body)).toBe('{"status":"ok"}')
})
