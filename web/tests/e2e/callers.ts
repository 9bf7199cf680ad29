/** People who call each other: what they press, what they see of it, and what their browsers count. */
import { expect } from 'vitest'
import type { Visitor } from './visitor'

/** Browsers tell what they send and receive only to who has the connection: keeps all of them. */
export async function watchConnections({ context }: Visitor): Promise<void> {
  await context.addInitScript(() => {
    const connections: RTCPeerConnection[] = []
    const Original = RTCPeerConnection
    globalThis.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super(configuration)
        connections.push(this)
      }
    }
    Object.assign(globalThis, { connections })
  })
}

export async function talksOnlyThroughRelays({ context }: Visitor): Promise<void> {
  await context.addInitScript(() => {
    if (location.protocol.startsWith('http')) localStorage.setItem('petrel.calls.relayOnly', 'true')
  })
}

export interface Counts {
  /** Packets, by direction and kind. */
  packets: Record<'inbound audio' | 'inbound video' | 'outbound audio' | 'outbound video', number>
  /** How the two reach each other: the kinds of both candidates of the pair that is used. */
  way: string[]
  /** Which of the page's connections it is: a call that was cut off goes on over another. */
  connection: number
}

/** What the browser counts of the last call. */
export function counts({ page }: Visitor): Promise<Counts> {
  return page.evaluate(async () => {
    const { connections } = globalThis as unknown as { connections: RTCPeerConnection[] }
    const connection = connections.at(-1)!
    const report = [...((await connection.getStats()) as unknown as Map<string, any>).values()]
    const sum = (type: string, kind: string, field: string) => report.filter((entry) => entry.type === type && entry.kind === kind).reduce((all, entry) => all + (entry[field] ?? 0), 0)
    const transport = report.find(({ type }) => type === 'transport')
    const pair = report.find(({ id }) => id === transport?.selectedCandidatePairId)
    const way = [pair?.localCandidateId, pair?.remoteCandidateId].map((candidate) => report.find(({ id }) => id === candidate)?.candidateType ?? '')
    return {
      packets: {
        'inbound audio': sum('inbound-rtp', 'audio', 'packetsReceived'),
        'inbound video': sum('inbound-rtp', 'video', 'packetsReceived'),
        'outbound audio': sum('outbound-rtp', 'audio', 'packetsSent'),
        'outbound video': sum('outbound-rtp', 'video', 'packetsSent'),
      },
      way,
      connection: connections.length,
    }
  })
}

/** Waits until so much more of something goes in both directions than now. */
export async function flows(person: Visitor, kinds: ('audio' | 'video')[]): Promise<void> {
  const before = await counts(person)
  for (const kind of kinds) {
    for (const name of [`inbound ${kind}`, `outbound ${kind}`] as const) {
      const more = async () => {
        const { packets, connection } = await counts(person)
        return connection === before.connection ? packets[name] - before.packets[name] : packets[name]
      }
      await expect.poll(more, { message: `${person.name}: ${name}` }).toBeGreaterThan(20)
    }
  }
}

export const call = ({ page }: Visitor) => page.getByRole('dialog', { name: /^(Call with|与)/ })
export const incoming = ({ page }: Visitor) => page.getByRole('alertdialog')
export const begins = ({ page }: Visitor, kind: 'Voice call' | 'Video call') => page.getByRole('banner').or(page.locator('header')).getByRole('button', { name: kind, exact: true }).click()
export const accepts = (person: Visitor, name: string | RegExp = /^Accept/) => incoming(person).getByRole('button', { name }).last().click()
export const talks = (person: Visitor) => call(person).locator('.clock').filter({ hasText: /^\d+:\d\d$/ }).waitFor()
export const does = (person: Visitor, name: string) => call(person).getByRole('button', { name, exact: true }).click()
/** The record of a call in the chat that is open. */
export const record = ({ messages }: Visitor, words: string | RegExp) => messages.getByRole('article').filter({ hasText: words }).last()
export const isOver = (person: Visitor) => call(person).waitFor({ state: 'detached' })
