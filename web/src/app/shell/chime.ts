/** Two soft tones, made here, so that no file has to be loaded. */

/** Pitch in hertz and begin in seconds of each tone. */
const TONES = [
  [659.26, 0],
  [880, 0.12],
] as const
const LASTS_S = 0.35
const LOUDNESS = 0.08

let context: AudioContext | undefined

export function chime(): void {
  context ??= new AudioContext()
  const { currentTime, destination } = context
  for (const [pitch, begin] of TONES) {
    const tone = context.createOscillator()
    const gain = context.createGain()
    tone.frequency.value = pitch
    gain.gain.setValueAtTime(0, currentTime + begin)
    gain.gain.linearRampToValueAtTime(LOUDNESS, currentTime + begin + 0.02)
    gain.gain.exponentialRampToValueAtTime(0.0001, currentTime + begin + LASTS_S)
    tone.connect(gain).connect(destination)
    tone.start(currentTime + begin)
    tone.stop(currentTime + begin + LASTS_S)
  }
}
