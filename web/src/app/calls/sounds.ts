/** What a call sounds like before anybody speaks, made here, so that no file has to be loaded. */

interface Tone {
  /** Pitch in hertz. */
  pitch: number
  /** Begin and length within a round, in seconds. */
  at: number
  lasts: number
}

interface Melody {
  tones: Tone[]
  /** When it begins again, in seconds; never, if missing. */
  every?: number
  loudness: number
}

/** Somebody calls: a bright figure, twice, and a pause. */
export const RING: Melody = {
  tones: [0, 0.55].flatMap((begin) => [
    { pitch: 659.26, at: begin, lasts: 0.16 },
    { pitch: 830.61, at: begin + 0.14, lasts: 0.16 },
    { pitch: 987.77, at: begin + 0.28, lasts: 0.24 },
  ]),
  every: 2.4,
  loudness: 0.16,
}

/** It rings at the other side. */
export const RINGING_THERE: Melody = { tones: [{ pitch: 425, at: 0, lasts: 1 }], every: 4, loudness: 0.05 }

/** It is over. */
export const OVER: Melody = { tones: [{ pitch: 587.33, at: 0, lasts: 0.16 }, { pitch: 440, at: 0.18, lasts: 0.26 }], loudness: 0.06 }

/** How long a tone takes to come and go, so that it does not click, in seconds. */
const EDGE_S = 0.02

/** Plays a melody. Returns what ends it. A browser that lets no sound out before the user has done something stays silent. */
export function play({ tones, every, loudness }: Melody): () => void {
  if (typeof AudioContext === 'undefined') return () => {}
  const context = new AudioContext()
  const round = () => {
    for (const { pitch, at, lasts } of tones) {
      const begin = context.currentTime + at
      const tone = context.createOscillator()
      const gain = context.createGain()
      tone.type = 'triangle'
      tone.frequency.value = pitch
      gain.gain.setValueAtTime(0, begin)
      gain.gain.linearRampToValueAtTime(loudness, begin + EDGE_S)
      gain.gain.setValueAtTime(loudness, begin + lasts - EDGE_S)
      gain.gain.linearRampToValueAtTime(0, begin + lasts + EDGE_S)
      tone.connect(gain).connect(context.destination)
      tone.start(begin)
      tone.stop(begin + lasts + EDGE_S)
    }
  }
  void context.resume().catch(() => {})
  round()
  const timer = every === undefined ? undefined : setInterval(round, every * 1_000)
  const close = () => {
    clearInterval(timer)
    if (context.state !== 'closed') void context.close()
  }
  if (every === undefined) setTimeout(close, 1_000)
  return close
}
