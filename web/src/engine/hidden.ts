/**
 * What the user has deleted for himself or herself in a conversation. The server does not
 * show it any more; what is kept here is for answers that were on their way already.
 */

/** What a deletion says, on the wire and in events. */
export interface Hiding {
  msgSeqs?: number[]
  upToSeq?: number
}

export interface Hidden {
  /** Everything up to here, of whatever kind; 0 for nothing. */
  upToSeq: number
  /** Messages beyond that. The server allows a few hundred. */
  seqs: number[]
}

export function isHidden(hidden: Hidden | undefined, seq: number): boolean {
  return hidden !== undefined && (seq <= hidden.upToSeq || hidden.seqs.includes(seq))
}

/** What is hidden after a deletion; nothing if all of it was so already. */
export function withHiding(before: Hidden | undefined, { msgSeqs = [], upToSeq = 0 }: Hiding): Hidden | undefined {
  const furthest = Math.max(before?.upToSeq ?? 0, upToSeq)
  const isNews = furthest > (before?.upToSeq ?? 0) || msgSeqs.some((seq) => !isHidden(before, seq))
  if (!isNews) return undefined
  const seqs = new Set([...(before?.seqs ?? []), ...msgSeqs])
  return { upToSeq: furthest, seqs: [...seqs].filter((seq) => seq > furthest).sort((one, other) => one - other) }
}
