/** Faces and a view of the sea, drawn as SVG and painted by the browser: nobody's likeness, and nobody's picture. */
import type { Browser } from 'playwright-core'

export interface Face {
  skin: string
  hair: string
  shirt: string
  back: [string, string]
  cut: 'short' | 'long' | 'curls' | 'bun' | 'cap'
  beard?: boolean
  glasses?: boolean
}

export async function paint(browser: Browser, svg: string, width: number, height: number): Promise<Uint8Array> {
  const page = await browser.newPage({ viewport: { width, height } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw;height:100vh}</style>${svg}`)
  const bytes = await page.screenshot({ type: 'jpeg', quality: 90 })
  await page.close()
  return bytes
}

const CUTS: Record<Face['cut'], (hair: string) => { behind: string; before: string }> = {
  short: (hair) => ({ behind: '', before: `<path d="M66 96c-4-46 22-62 54-62s60 16 54 62c-6-22-16-32-28-34-20 8-46 6-58-2-12 6-18 18-22 36z" fill="${hair}"/>` }),
  long: (hair) => ({ behind: `<path d="M58 190c-10-80 0-156 62-156s72 76 62 156z" fill="${hair}"/>`, before: `<path d="M70 104c2-40 20-54 52-54s48 16 50 54c-18-10-28-24-34-36-12 18-40 30-68 36z" fill="${hair}"/>` }),
  curls: (hair) => ({ behind: [[74, 66], [98, 46], [124, 42], [150, 52], [168, 74], [64, 92], [176, 98], [70, 116], [172, 120]].map(([x, y]) => `<circle cx="${x}" cy="${y}" r="23" fill="${hair}"/>`).join(''), before: [[88, 62], [110, 54], [134, 54], [154, 66]].map(([x, y]) => `<circle cx="${x}" cy="${y}" r="15" fill="${hair}"/>`).join('') }),
  bun: (hair) => ({ behind: `<circle cx="120" cy="30" r="22" fill="${hair}"/>`, before: `<path d="M66 102c-2-44 20-62 54-62s56 18 54 62c-10-26-26-38-54-38s-44 12-54 38z" fill="${hair}"/>` }),
  cap: (hair) => ({ behind: '', before: `<path d="M64 84c0-36 24-54 56-54s56 18 56 54z" fill="${hair}"/><path d="M64 80h130c6 0 6 12 0 12H64z" fill="${hair}"/><path d="M64 80h112v6H64z" fill="#0003"/>` }),
}

export function face({ skin, hair, shirt, back, cut, beard, glasses }: Face): string {
  const { behind, before } = CUTS[cut](hair)
  return `<svg viewBox="0 0 240 240" xmlns="http://www.w3.org/2000/svg">
    <defs><linearGradient id="b" x2="0.4" y2="1"><stop stop-color="${back[0]}"/><stop offset="1" stop-color="${back[1]}"/></linearGradient></defs>
    <rect width="240" height="240" fill="url(#b)"/>
    ${behind}
    <path d="M24 250c0-52 40-76 96-76s96 24 96 76z" fill="${shirt}"/>
    <path d="M98 148h44v34c0 26-44 26-44 0z" fill="${skin}"/><path d="M98 160c10 14 34 14 44 0v10c-10 14-34 14-44 0z" fill="#0002"/>
    <ellipse cx="120" cy="108" rx="51" ry="60" fill="${skin}"/>
    ${beard ? `<path d="M70 116c2 40 26 58 50 58s48-18 50-58c-8 18-24 22-50 22s-42-4-50-22z" fill="${hair}"/>` : ''}
    ${before}
    <circle cx="101" cy="108" r="5" fill="#1c1a1f"/><circle cx="139" cy="108" r="5" fill="#1c1a1f"/>
    <path d="M103 136c10 10 24 10 34 0" fill="none" stroke="#0008" stroke-width="4.5" stroke-linecap="round"/>
    ${glasses ? '<g fill="none" stroke="#22262b" stroke-width="4"><circle cx="101" cy="108" r="15"/><circle cx="139" cy="108" r="15"/><path d="M116 106h8"/></g>' : ''}
  </svg>`
}

/** A storm petrel above the waves, in the evening. */
export const SEA = `<svg viewBox="0 0 960 600" preserveAspectRatio="xMidYMid slice" xmlns="http://www.w3.org/2000/svg">
  <defs>
    <linearGradient id="sky" x2="0" y2="1"><stop stop-color="#22395f"/><stop offset="0.45" stop-color="#b4667a"/><stop offset="0.75" stop-color="#f3a86c"/><stop offset="1" stop-color="#fbd79b"/></linearGradient>
    <linearGradient id="sea" x2="0" y2="1"><stop stop-color="#c98a72"/><stop offset="0.35" stop-color="#3f6c80"/><stop offset="1" stop-color="#0e2f40"/></linearGradient>
    <radialGradient id="glow"><stop stop-color="#fff3cf"/><stop offset="0.3" stop-color="#ffe0a3cc"/><stop offset="1" stop-color="#ffd28a00"/></radialGradient>
  </defs>
  <rect width="960" height="400" fill="url(#sky)"/>
  <circle cx="610" cy="352" r="190" fill="url(#glow)"/><circle cx="610" cy="356" r="44" fill="#fff6dc"/>
  <g fill="#2c3a5a55"><path d="M0 120c120-34 210-6 300-22s150-30 240-10 160-18 260-2 110 6 160-8v34c-140 26-260-6-420 12S120 150 0 166z"/><path d="M0 214c160-20 300 14 470-6s330 14 490-8v22c-170 22-310-2-480 12S150 236 0 244z"/></g>
  <rect y="380" width="960" height="220" fill="url(#sea)"/>
  <path d="M560 384h100l30 216H520z" fill="#ffe9bd" opacity="0.24"/>
  <path d="M0 380c40-34 90-62 150-66 30-2 46 20 80 30 30 10 60 30 80 36z" fill="#1d2c3f"/>
  <path d="M138 318l5-92h26l5 92z" fill="#e9e2d6"/><path d="M140.500 272h31l1.300 22h-33.600z" fill="#b0453a"/><path d="M140 226h32v-16h-32z" fill="#ffe28c"/><path d="M136 210l20-20 20 20z" fill="#b0453a"/>
  <g fill="none" stroke="#ffffff44" stroke-width="4" stroke-linecap="round"><path d="M40 438c60-12 90 10 150 0s90 8 130-2"/><path d="M420 470c60-14 110 12 170 0s120 10 180-4"/><path d="M120 520c80-16 130 14 210 0s130 12 200-2"/><path d="M640 548c60-14 110 12 190 0"/></g>
  <path d="M352 206c40-22 78-18 104 18 6 8 12 10 20 8 12-40 52-66 112-62-46 12-72 34-84 70 8 2 18 2 30-2-10 14-22 20-38 20-34 2-54-8-64-30-16-22-44-30-80-22z" fill="#101a26" transform="rotate(-6 470 220)"/>
</svg>`

/** An old chart, for the picture of a group. */
export const CHART = `<svg viewBox="0 0 240 240" xmlns="http://www.w3.org/2000/svg">
  <rect width="240" height="240" fill="#0d4452"/>
  <g fill="none" stroke="#7fd0c8" stroke-width="5"><path d="M-10 92c44-26 70 22 120 0s84 16 140-12" opacity="0.9"/><path d="M-10 130c44-26 70 22 120 0s84 16 140-12" opacity="0.65"/><path d="M-10 168c44-26 70 22 120 0s84 16 140-12" opacity="0.4"/></g>
  <g fill="#f4b45f"><path d="M120 34l12 54-12 20-12-20z"/></g><circle cx="120" cy="112" r="8" fill="#f4efe2"/>
</svg>`
