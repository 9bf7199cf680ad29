/**
 * Keeps the client's own files, so that it opens at once and without a network. It keeps
 * nothing of the server's: what people write is in the engine's storage alone.
 */
export {}

declare const self: ServiceWorkerGlobalScope
/** The files of this build, and a name that is another for each build; filled in by the build. */
declare const __SHELL__: { version: string; files: string[] }

const CACHE = `petrel-shell-${__SHELL__.version}`
const PAGE = '/'
/** Paths that are the server's. */
const OF_SERVER = /^\/(api|files|ws|swagger|openapi\.json|healthz|readyz)(\/|$)/

self.addEventListener('install', (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE)
    await cache.addAll([PAGE, ...__SHELL__.files].map((path) => new Request(path, { cache: 'no-cache' })))
    await self.skipWaiting()
  }
  event.waitUntil(keep())
})

self.addEventListener('activate', (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) if (name.startsWith('petrel-shell-') && name !== CACHE) await caches.delete(name)
    await self.clients.claim()
  }
  event.waitUntil(clean())
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin || OF_SERVER.test(url.pathname)) return
  if (request.mode === 'navigate') event.respondWith(page(request))
  else event.respondWith(file(request))
})

/** From the server while it answers, so that a new build is seen at the next load. */
async function page(request: Request): Promise<Response> {
  try {
    const response = await fetch(request)
    if (response.status < 500) return response
  } catch {
    // Without a network the client that is here opens, and says that it is offline.
  }
  return (await caches.match(PAGE, { cacheName: CACHE })) ?? Response.error()
}

async function file(request: Request): Promise<Response> {
  return (await caches.match(request, { cacheName: CACHE })) ?? fetch(request)
}
