/** Pictures, painted pixel by pixel, as PNG files. */
import { crc32, deflateSync } from 'node:zlib'

export type Paint = (x: number, y: number) => readonly [red: number, green: number, blue: number]

export function png(width: number, height: number, paint: Paint): Buffer {
  const lines = Buffer.alloc(height * (1 + width * 3))
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) lines.set(paint(x, y), y * (1 + width * 3) + 1 + x * 3)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  // Eight bits for each of three colours.
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(lines)), chunk('IEND', Buffer.alloc(0))])
}

/** One colour all over. */
export const plain = (width: number, height: number, ...colour: [number, number, number]): Buffer => png(width, height, () => colour)

/** One that can't be made smaller by packing it. */
export function noise(width: number, height: number): Buffer {
  let state = 1
  const next = () => (state = (state * 48_271) % 2_147_483_647) & 255
  return png(width, height, () => [next(), next(), next()])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(8 + body.length)
  frame.writeUInt32BE(data.length, 0)
  body.copy(frame, 4)
  frame.writeUInt32BE(crc32(body), 4 + body.length)
  return frame
}
