/** A server for the tests of a file, and people who come and go with each of them. */
import { afterAll, afterEach, beforeAll } from 'vitest'
import { Person } from './person'
import { Cable, RealServer } from './server'

export type NamedPerson = Person & { name: string }

export interface Scene {
  readonly server: RealServer
  /** Somebody new, online; perhaps behind a line that may be cut. */
  register(port?: number): Promise<NamedPerson>
  /** A second device of somebody, or one that goes by the id of the first. */
  anotherDevice(name: string, number?: number): Promise<Person>
  /** Somebody who was made elsewhere, and goes when the test is over. */
  adopt(person: Person): void
  /** A line to the gateway that may be cut. */
  cable(): Promise<Cable>
}

export function useScene(): Scene {
  let server: RealServer
  let names = 0
  const people: Person[] = []
  const cables: Cable[] = []

  beforeAll(async () => {
    server = await RealServer.start()
  })
  afterEach(async () => {
    await Promise.all(people.splice(0).map(({ engine }) => engine.stop()))
    for (const cable of cables.splice(0)) cable.close()
  })
  afterAll(() => server.remove())

  return {
    get server() {
      return server
    },
    async register(port = server.gatewayPort) {
      const name = `user${(names += 1)}`
      const person = await Person.register(server.http, port, name)
      people.push(person)
      await person.online()
      return Object.assign(person, { name })
    },
    async anotherDevice(name, number = 2) {
      const device = await Person.login(server.http, server.gatewayPort, name, `${name}-${number}`)
      people.push(device)
      return device
    },
    adopt: (person) => void people.push(person),
    async cable() {
      const made = await Cable.to(server.gatewayPort)
      cables.push(made)
      return made
    },
  }
}
