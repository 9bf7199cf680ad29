/**
 * Readers of JSON values: each takes what came in and returns it in the form that the
 * engine works with, or throws a {@link FrameError}.
 *
 * Identifiers become decimal strings, a field that is null becomes absent, and flags that
 * are false become absent as well, so that equal frames are equal values.
 */

/** Why a frame can't be read, with the word that the protocol has for it. */
export class FrameError extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message)
    this.name = 'FrameError'
  }
}

/** Takes a value that is there (neither absent nor null). */
export type Reader<T> = (value: unknown, field: string) => T

export interface OptionalReader<T> {
  readonly optional: Reader<T>
}

type Fields = Record<string, Reader<unknown> | OptionalReader<unknown>>

type RequiredKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends OptionalReader<unknown> ? never : K
}[keyof F]

type ValueOf<R> = R extends Reader<infer T> ? T : R extends OptionalReader<infer T> ? T : never

type ObjectOf<F extends Fields> = { [K in RequiredKeys<F>]: ValueOf<F[K]> } & {
  [K in Exclude<keyof F, RequiredKeys<F>>]?: ValueOf<F[K]>
}

/** Required fields whose absence has a reason of its own. */
const MISSING: Readonly<Record<string, string>> = {
  type: 'missing_type',
  clientMsgId: 'missing_msg_id',
  ackType: 'missing_ack_type',
  groupId: 'missing_group_id',
  to: 'missing_to',
  body: 'missing_body',
}

function invalid(field: string, expected: string): never {
  throw new FrameError('invalid_field', `${field} must be ${expected}`)
}

/** A field that may be absent. */
export function optional<T>(reader: Reader<T>): OptionalReader<T> {
  return { optional: reader }
}

export const text: Reader<string> = (value, field) =>
  typeof value === 'string' ? value : invalid(field, 'a text')

/** A whole number from 0 that JavaScript holds exactly. */
export const count: Reader<number> = (value, field) =>
  Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : invalid(field, 'a whole number from 0')

/** An identifier, as a decimal string without leading zeros. */
export const identifier: Reader<string> = (value, field) => {
  if (typeof value === 'string' && /^[0-9]{1,19}$/.test(value)) return BigInt(value).toString()
  return count(value, field).toString()
}

/** A flag that says something either way. */
export const boolean: Reader<boolean> = (value, field) =>
  typeof value === 'boolean' ? value : invalid(field, 'true or false')

/** A flag; false is as good as absent. */
export const flag = optional<true | undefined>((value, field) =>
  typeof value === 'boolean' ? value || undefined : invalid(field, 'true or false'),
)

/** What a request is recognised by: a number or a text. */
export const requestId: Reader<number | string> = (value, field) =>
  typeof value === 'string' ? value : count(value, field)

/** One of some words, whatever the case of their letters. */
export function oneOf<const W extends string>(...words: readonly W[]): Reader<W> {
  return (value, field) =>
    words.find((word) => word.toLowerCase() === text(value, field).toLowerCase()) ??
    invalid(field, `one of ${words.join(', ')}`)
}

export function listOf<T>(reader: Reader<T>): Reader<T[]> {
  return (value, field) =>
    Array.isArray(value) ? value.map((item) => reader(item, field)) : invalid(field, 'a list')
}

/** An object with these fields; others are ignored. */
export function objectOf<F extends Fields>(fields: F): Reader<ObjectOf<F>> {
  const entries = Object.entries(fields)
  return (value, field) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      invalid(field, 'an object')
    }
    const result: Record<string, unknown> = {}
    for (const [name, reader] of entries) {
      const member = (value as Record<string, unknown>)[name] ?? undefined
      if (member === undefined) {
        if (typeof reader === 'function') {
          throw new FrameError(MISSING[name] ?? 'invalid_field', `${name} is missing`)
        }
        continue
      }
      const read = (typeof reader === 'function' ? reader : reader.optional)(member, name)
      if (read !== undefined) result[name] = read
    }
    return result as ObjectOf<F>
  }
}
