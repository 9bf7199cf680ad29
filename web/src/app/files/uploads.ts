/**
 * Files on their way to the server, and the messages that they become. An upload that breaks off goes on where it was as
 * soon as there is a network; one that was begun before the page was closed goes on when the same file is chosen again.
 */
import { defineStore } from 'pinia'
import { shallowReactive } from 'vue'
import type { Upload } from 'tus-js-client'
import { ApiError } from '../platform/http'
import { useMessenger } from '../stores/messenger'
import { useSession } from '../stores/session'
import { describeFile } from './file-api'

export interface Target {
  conversationId: string
  /** Of a single chat. */
  to?: string | undefined
  replyTo?: number | undefined
}

export interface Sending {
  key: number
  target: Target
  file: File
  caption: string
  /** Sent as it is, not as a picture, sound or film. */
  asFile: boolean
  durationMs?: number | undefined
  sentBytes: number
  state: 'uploading' | 'failed'
  error?: unknown
}

/** How long is waited before each further attempt, in milliseconds. */
const RETRY_DELAYS_MS = [0, 1_000, 3_000, 8_000, 15_000, 30_000]
/** So many go on at once. */
const AT_ONCE = 2
/** What goes in one request. */
const CHUNK_BYTES = 8 * 1024 * 1024
/**
 * Up to here a file goes with the request that begins its upload. A larger one waits for the answer: a browser that is
 * refused while it still sends may see a broken connection instead of the reason.
 */
const WITH_CREATION_BYTES_MAX = 256 * 1024

const TYPES = { image: 'IMAGE', audio: 'AUDIO', video: 'VIDEO', other: 'FILE' } as const

export const useUploads = defineStore('uploads', () => {
  const session = useSession()
  const messenger = useMessenger()
  const sendings = shallowReactive(new Map<number, Sending>())
  /** Those that have begun; undefined while they are prepared. */
  const running = new Map<number, Upload | undefined>()
  let nextKey = 1

  function add(target: Target, file: File, more: { caption?: string; asFile?: boolean; durationMs?: number | undefined } = {}): void {
    const key = nextKey++
    const { caption = '', asFile = false, durationMs } = more
    sendings.set(key, { key, target, file, caption, asFile, durationMs, sentBytes: 0, state: 'uploading' })
    pump()
  }

  function change(key: number, news: Partial<Sending>): void {
    const sending = sendings.get(key)
    if (sending) sendings.set(key, { ...sending, ...news })
  }

  function pump(): void {
    for (const { key, state } of sendings.values()) {
      if (running.size >= AT_ONCE) return
      if (state !== 'uploading' || running.has(key)) continue
      running.set(key, undefined)
      begin(key).catch((error: unknown) => fail(key, error))
    }
  }

  async function begin(key: number): Promise<void> {
    const { file } = sendings.get(key)!
    const tus = await import('tus-js-client')
    const upload = new tus.Upload(file, {
      endpoint: '/api/files/tus',
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      uploadDataDuringCreation: file.size <= WITH_CREATION_BYTES_MAX,
      removeFingerprintOnSuccess: true,
      metadata: { filename: file.name, filetype: file.type || 'application/octet-stream' },
      onBeforeRequest: async (request) => {
        const token = await session.tokens.token()
        if (token !== undefined) request.setHeader('Authorization', `Bearer ${token}`)
      },
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0
        if (status === 401) session.tokens.spoil((error.originalRequest?.getHeader('Authorization') ?? '').slice(7))
        return status === 0 || status === 401 || status === 409 || status === 423 || status === 429 || status >= 500
      },
      onProgress: (sentBytes) => change(key, { sentBytes }),
      onSuccess: () => void finish(key, upload.url ?? ''),
      onError: (error) => fail(key, refusalOf(error)),
    })
    const [before] = await upload.findPreviousUploads()
    // It was given up meanwhile.
    if (!running.has(key)) return
    running.set(key, upload)
    if (before) upload.resumeFromPreviousUpload(before)
    upload.start()
  }

  async function finish(key: number, url: string): Promise<void> {
    running.delete(key)
    const sending = sendings.get(key)
    const fileId = url.split('/').at(-1)
    if (!sending || !fileId) return
    try {
      const { kind } = await describeFile(fileId)
      const { target, caption, asFile, durationMs } = sending
      const msgType = asFile ? 'FILE' : TYPES[kind]
      const content = {
        msgType,
        attachment: { fileId, ...(durationMs === undefined || msgType === 'FILE' || msgType === 'IMAGE' ? {} : { durationMs }) },
        ...(caption === '' ? {} : { body: caption }),
        ...(target.replyTo === undefined ? {} : { replyTo: target.replyTo }),
      }
      if (target.to === undefined) messenger.send({ type: 'GROUP_CHAT', groupId: target.conversationId, ...content })
      else messenger.send({ type: 'SINGLE_CHAT', to: target.to, ...content })
      sendings.delete(key)
    } catch (error) {
      fail(key, error)
    }
    pump()
  }

  function fail(key: number, error: unknown): void {
    running.delete(key)
    change(key, { state: 'failed', error })
    pump()
  }

  function retry(key: number): void {
    change(key, { state: 'uploading', error: undefined })
    pump()
  }

  function cancel(key: number): void {
    void running.get(key)?.abort(true).catch(() => {
      // The server deletes what is not finished by itself.
    })
    running.delete(key)
    sendings.delete(key)
    pump()
  }

  return { sendings, add, retry, cancel }
})

/** Why the server refused it, as it says itself. */
function refusalOf(error: unknown): unknown {
  const response = (error as { originalResponse?: { getBody(): string } | null }).originalResponse
  try {
    const { reason, message } = JSON.parse(response?.getBody() ?? '') as { reason: string; message: string }
    return new ApiError(reason, message)
  } catch {
    return new ApiError('unreachable', 'the server did not answer')
  }
}
