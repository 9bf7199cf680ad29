/**
 * What the engine needs of the world. Everything that is not computing comes in through one
 * of these, so that a test can be the network, the clock and the disk.
 */
import type { Batch, Stored } from './storage/records'
import type { TimelineEvent } from './event'
import type { UserSettings } from './wire/protocol'

/** Time, and what is due later. */
export interface Clock {
  /** Milliseconds since the Unix epoch, by this device. It may jump. */
  now(): number
  /** Calls once, no sooner than after this time. Returns what takes it back. */
  after(delayMs: number, callback: () => void): () => void
}

export interface Random {
  /** A number from 0 (included) to 1 (excluded). */
  fraction(): number
  /** A name that nobody else gives. */
  uuid(): string
}

/** One connection. Its listener hears `opened` once at most, then frames, then `closed` once. */
export interface Connection {
  /** Hands a text frame to the network. What is sent after `closed` is lost. */
  send(frame: string): void
  /** Ends it; `closed` may follow late, or never. */
  close(): void
}

export interface ConnectionListener {
  opened(): void
  received(frame: string): void
  /** `code` is 1006 when nobody said why. */
  closed(code: number, reason: string): void
}

export interface Transport {
  /** Begins to connect. Calls the listener later, never before it returns. */
  connect(listener: ConnectionListener): Connection
}

/** An access token, and whose it is. */
export interface Grant {
  userId: string
  accessToken: string
  /** How long the token lasts from now, in milliseconds. */
  expiresInMs: number
}

/** What became of asking for another access token. */
export type Renewal =
  | { kind: 'granted'; grant: Grant }
  /** The log-in is over. */
  | { kind: 'refused'; reason: string }
  /** Nobody answered, or not now. */
  | { kind: 'unavailable'; retryAfterMs?: number }

/** Asks over HTTP for the user's settings, which no frame tells until they change. */
export type AskSettings = (accessToken: string) => Promise<UserSettings>

/** Trades the refresh token, wherever it is kept, for another access token. */
export type Renew = () => Promise<Renewal>

/**
 * Where a device keeps its copy. Batches are durable in the order in which they were given:
 * after a crash there is a prefix of them, each whole or not at all.
 */
export interface Storage {
  /** Everything but the events, and of those the last of each conversation. */
  load(eventsOfEach: number): Promise<Stored>
  commit(batch: Batch): Promise<void>
  /** The last `limit` events before a seq, in order. */
  eventsBefore(conversationId: string, seq: number, limit: number): Promise<TimelineEvent[]>
  close(): void
}

/** Takes what an operator of this device should know of; never tokens or texts of messages. */
export type Log = (message: string, detail?: unknown) => void
