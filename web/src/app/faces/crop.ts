/** The square that is cut out of a picture: where it is, and how large. All in pixels of the picture. */

export interface Size {
  width: number
  height: number
}

/** What the user has chosen: the middle of the square, and how often it goes into the largest one. */
export interface Choice {
  x: number
  y: number
  zoom: number
}

export interface Square {
  left: number
  top: number
  side: number
}

export const ZOOM_MAX = 5

const between = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most)

/** The largest square, in the middle. */
export function firstChoice({ width, height }: Size): Choice {
  return { x: width / 2, y: height / 2, zoom: 1 }
}

/** The nearest choice whose square is all within the picture. */
export function within({ width, height }: Size, { x, y, zoom }: Choice): Choice {
  const kept = between(zoom, 1, ZOOM_MAX)
  const half = Math.min(width, height) / kept / 2
  return { x: between(x, half, width - half), y: between(y, half, height - half), zoom: kept }
}

export function squareOf(size: Size, choice: Choice): Square {
  const { x, y, zoom } = within(size, choice)
  const side = Math.min(size.width, size.height) / zoom
  return { left: x - side / 2, top: y - side / 2, side }
}

/** After the picture was dragged by so many pixels of a view that shows the square `viewSide` wide. */
export function dragged(size: Size, choice: Choice, dx: number, dy: number, viewSide: number): Choice {
  const scale = squareOf(size, choice).side / viewSide
  return within(size, { ...choice, x: choice.x - dx * scale, y: choice.y - dy * scale })
}
