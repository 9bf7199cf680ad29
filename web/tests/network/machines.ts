/** Machines that `tests/call-network.sh` has made, and the lines from them to the hub. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const { NETWORK_HUB, NETWORK_ADA, NETWORK_BOB, NETWORK_BROWSERS } = process.env
if (!NETWORK_HUB || !NETWORK_ADA || !NETWORK_BOB || !NETWORK_BROWSERS) throw new Error('run it by make test-call-network, which makes the network')

/** Where the server is, in the hub. */
export const SERVER_ADDRESS = '10.77.0.1'

export type Machine = 'ada' | 'bob'
const MACHINES: Record<Machine, string> = { ada: NETWORK_ADA, bob: NETWORK_BOB }

/** A browser that runs there. */
export function browserOn(machine: Machine): string {
  return join(NETWORK_BROWSERS!, machine)
}

/** A line with the addresses 10.77.<number>.1 and .2. Of several the one of the lowest number is taken. */
export function plug(machine: Machine, line: string, number: number): void {
  const [there, hub] = [MACHINES[machine], NETWORK_HUB!]
  const [here, gateway] = [`10.77.${number}.2`, `10.77.${number}.1`]
  ip('-n', hub, 'link', 'add', `hub-${number}`, 'type', 'veth', 'peer', 'name', line, 'netns', there)
  ip('-n', hub, 'address', 'add', `${gateway}/24`, 'dev', `hub-${number}`)
  ip('-n', hub, 'link', 'set', `hub-${number}`, 'up')
  ip('-n', there, 'address', 'add', `${here}/24`, 'dev', line)
  ip('-n', there, 'link', 'set', line, 'up')
  ip('-n', there, 'route', 'add', 'default', 'via', gateway, 'dev', line, 'metric', String(number))
  // What is sent from an address goes over its line.
  ip('-n', there, 'route', 'add', 'default', 'via', gateway, 'dev', line, 'table', String(number))
  ip('-n', there, 'rule', 'add', 'from', here, 'table', String(number))
}

/** Takes a line away, and its addresses. */
export function unplug(machine: Machine, line: string): void {
  ip('-n', MACHINES[machine], 'link', 'delete', line)
}

export function unplugAll(): void {
  for (const machine of ['ada', 'bob'] as const) {
    for (const { ifname } of linesOf(machine)) if (ifname !== 'lo') unplug(machine, ifname)
  }
}

/** The line that has an address. */
export function lineOf(machine: Machine, address: string): string {
  const found = linesOf(machine).find(({ addr_info: addresses }) => addresses.some(({ local }) => local === address))
  if (!found) throw new Error(`${machine} has no line with ${address}`)
  return found.ifname
}

function linesOf(machine: Machine): { ifname: string; addr_info: { local: string }[] }[] {
  return JSON.parse(ip('-n', MACHINES[machine], '-json', 'address', 'show'))
}

function ip(...words: string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8' })
}
