import fc from 'fast-check'
import { expect, it } from 'vitest'
import { dragged, firstChoice, squareOf, within, ZOOM_MAX } from './crop'

const WIDE = { width: 400, height: 200 }

it('begins with the largest square in the middle', () => {
  expect(squareOf(WIDE, firstChoice(WIDE))).toEqual({ left: 100, top: 0, side: 200 })
  const tall = { width: 30, height: 90 }
  expect(squareOf(tall, firstChoice(tall))).toEqual({ left: 0, top: 30, side: 30 })
})

it('follows the finger, and stops at the edge', () => {
  // The view is half as wide as the square: a pixel of it is two of the picture.
  expect(squareOf(WIDE, dragged(WIDE, firstChoice(WIDE), 20, 0, 100)).left).toBe(60)
  expect(squareOf(WIDE, dragged(WIDE, firstChoice(WIDE), 9_999, 9_999, 100))).toEqual({ left: 0, top: 0, side: 200 })
  expect(squareOf(WIDE, dragged(WIDE, firstChoice(WIDE), -9_999, 0, 100)).left).toBe(200)
})

it('shows a smaller square when it is enlarged', () => {
  expect(squareOf(WIDE, { x: 200, y: 100, zoom: 2 })).toEqual({ left: 150, top: 50, side: 100 })
  expect(within(WIDE, { x: 0, y: 0, zoom: 99 }).zoom).toBe(ZOOM_MAX)
})

it('never leaves the picture', () => {
  const side = fc.integer({ min: 1, max: 10_000 })
  const place = fc.double({ min: -20_000, max: 20_000, noNaN: true })
  fc.assert(
    fc.property(side, side, place, place, fc.double({ min: -1, max: 10, noNaN: true }), (width, height, x, y, zoom) => {
      const square = squareOf({ width, height }, { x, y, zoom })
      expect(square.side).toBeGreaterThan(0)
      expect(square.left).toBeGreaterThanOrEqual(-1e-6)
      expect(square.top).toBeGreaterThanOrEqual(-1e-6)
      expect(square.left + square.side).toBeLessThanOrEqual(width + 1e-6)
      expect(square.top + square.side).toBeLessThanOrEqual(height + 1e-6)
    }),
  )
})
