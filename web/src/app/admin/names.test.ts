import { expect, it } from 'vitest'
import { readNames } from './names'

it('names are read where those stand who are wanted, many at once, and nobody is looked for twice', async () => {
  const all = [5, 6, 7, 90, 91, 10_000_000_001].map((id) => ({ userId: String(id), username: `user${id}`, admin: false }))
  const asked: string[] = []
  const learnt = new Set<string>()
  const usersAfter = async (after: string) => {
    asked.push(after)
    const items = all.filter(({ userId }) => BigInt(userId) > BigInt(after)).slice(0, 2)
    return { items, next: items.length === 2 && items[1] !== all.at(-1) ? items[1]!.userId : undefined }
  }
  // 8 is nobody. As texts, 10000000001 would come before 5.
  await readNames(['10000000001', '6', '5', '8', '90'], usersAfter, ({ userId }) => learnt.add(userId))
  expect(asked).toEqual(['4', '7', '10000000000'])
  expect([...learnt]).toEqual(['5', '6', '90', '91', '10000000001'])
})
