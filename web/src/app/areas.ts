/**
 * The parts of the client. Each folder with an `area.ts` is one: its pages, and its place in the navigation. A page of an
 * area fills two panes on a wide screen, `list` and `default`; on a phone there is one at a time, and `meta.pane` says which.
 */
import type { Component } from 'vue'
import type { RouteRecordRaw } from 'vue-router'

declare module 'vue-router' {
  interface RouteMeta {
    /** Which pane a phone shows. */
    pane?: 'list' | 'main'
    /** For those who are not logged in. */
    isPublic?: boolean
    /** For admins of the system alone. */
    adminOnly?: boolean
  }
}

export interface NavEntry {
  /** The route that it leads to. */
  to: string
  /** The key of its label. */
  label: string
  icon: Component
  /** Entries stand in this order; those from 100 on at the foot of the rail. */
  order: number
  /** What waits there. Called while rendering, so it may use stores. */
  badge?: () => number
  /** Whether it is shown; always, if missing. */
  isShown?: () => boolean
}

export interface Area {
  routes: RouteRecordRaw[]
  nav?: NavEntry[]
}

const modules = import.meta.glob<{ area: Area }>('./*/area.ts', { eager: true })

export const areas: Area[] = Object.values(modules).map(({ area }) => area)
export const navEntries: NavEntry[] = areas.flatMap(({ nav }) => nav ?? []).sort((one, other) => one.order - other.order)
