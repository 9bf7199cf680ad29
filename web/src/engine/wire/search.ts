/** What a search finds, and how it is read. The same comes over HTTP, without `type`. */
import { count, flag, identifier, listOf, objectOf, optional, text, type Reader } from './decode'

/** A part of an excerpt, in UTF-16 code units. */
export interface Mark {
  start: number
  length: number
}

/** The part of a message's text around what was found. */
export interface Excerpt {
  text: string
  /** Where in it is what was found, in order; absent if no words were looked for. */
  marks?: Mark[]
  /** The text begins before it. */
  cutStart?: boolean
  /** The text goes on after it. */
  cutEnd?: boolean
}

export interface Hit {
  conversationId: string
  msgSeq: number
  serverMsgId: string
  from: string
  /** A later server may know kinds that this client does not. */
  msgType: string
  ts: number
  excerpt: Excerpt
}

/** A page of messages, newest first. */
export interface Found {
  hits: Hit[]
  /** The same search with it continues; absent at the end. */
  cursor?: string
  /** What has happened after this row is not searched yet. */
  indexedUpTo: string
  /** About how many changes of the whole system those are. */
  behind: number
}

const excerpt = objectOf({
  text,
  marks: optional(listOf(objectOf({ start: count, length: count }))),
  cutStart: flag,
  cutEnd: flag,
})

const hit = objectOf({
  conversationId: identifier,
  msgSeq: count,
  serverMsgId: identifier,
  from: identifier,
  msgType: text,
  ts: count,
  excerpt,
})

/** Reads an answer to a search. @throws FrameError */
export const readFound: Reader<Found> = objectOf({
  hits: listOf(hit),
  cursor: optional(text),
  indexedUpTo: identifier,
  behind: count,
}) as Reader<Found>

/** The frames, by type. */
export const search = { FOUND: readFound }
