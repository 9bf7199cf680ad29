/** Files on the server: what they are, and links to them that need no token. */
import { useSession } from '../stores/session'

export interface StoredFile {
  fileId: string
  name: string
  size: number
  contentType: string
  kind: 'image' | 'audio' | 'video' | 'other'
  width?: number
  height?: number
  thumbnail?: boolean
}

export interface FileLink {
  url: string
  thumbnailUrl?: string
  expiresTs: number
}

/** A link that ends sooner than this is asked for anew, in milliseconds. */
const TOO_SHORT_MS = 60_000
const LINKS_MAX = 500

const links = new Map<string, Promise<FileLink>>()

export function describeFile(fileId: string): Promise<StoredFile> {
  return useSession().http.ask<StoredFile>(`/api/files/${fileId}`)
}

/** A link that is good for a minute at least. */
export async function linkOf(fileId: string): Promise<FileLink> {
  const known = links.get(fileId)
  if (known) {
    const link = await known.catch(() => undefined)
    if (link && link.expiresTs - Date.now() > TOO_SHORT_MS) return link
  }
  const asked = useSession().http.ask<FileLink>(`/api/files/${fileId}/link`)
  links.delete(fileId)
  links.set(fileId, asked)
  const [oldest] = links.keys()
  if (links.size > LINKS_MAX && oldest !== undefined) links.delete(oldest)
  return asked
}

/** Saves a file on this device, under its own name. */
export async function download(fileId: string, name: string): Promise<void> {
  const { url } = await linkOf(fileId)
  const anchor = document.createElement('a')
  anchor.href = url
  anchor.download = name
  anchor.click()
}

const UNITS = ['B', 'KB', 'MB', 'GB']

export function sizeText(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1_000 && unit < UNITS.length - 1) {
    size /= 1_000
    unit += 1
  }
  return `${size >= 100 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`
}

export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
