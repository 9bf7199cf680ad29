/**
 * What a device has asked for in pages, and keeps true by the events after the first page.
 * Identity matters: an answer belongs to what was known when the question was put.
 */

/** Nothing is known; some pages are here, and `after` says where the next begins; or all is. */
export type Knowledge<S, P = string> =
  | { kind: 'unknown' }
  | { kind: 'fetching'; state: S; after: P }
  | { kind: 'known'; state: S }
