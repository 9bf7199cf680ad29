/**
 * What admins of the system say to everybody. The server says what is in force when a session begins, so nothing is kept
 * longer than the session: the next one tells what is still true. When one is over by time, who shows it knows.
 */
import type { Patch } from './view'
import type { ServerFrame } from './wire/codec'
import type { Notice } from './wire/protocol'

type NoticeFrame = Extract<ServerFrame, { type: 'NOTICE' | 'NOTICE_WITHDRAWN' }>

export class Notices {
  readonly #known = new Map<string, Notice>()

  constructor(private readonly show: (patch: Patch) => void) {
    this.show(this.snapshot())
  }

  receive(frame: NoticeFrame): void {
    const { noticeId } = frame
    if (frame.type === 'NOTICE') {
      const { text, ts, untilTs } = frame
      this.#known.set(noticeId, { noticeId, text, ts, ...(untilTs === undefined ? {} : { untilTs }) })
    } else if (!this.#known.delete(noticeId)) return
    this.show(this.snapshot())
  }

  /** All of them, oldest first. */
  snapshot(): Patch {
    return { notices: [...this.#known.values()] }
  }
}
