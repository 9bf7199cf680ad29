import type { Component } from 'vue'

/** What a menu offers. */
export interface MenuItem {
  key: string
  label: string
  icon?: Component
  danger?: boolean
  disabled?: boolean
  /** A line before it. */
  separated?: boolean
  /** The keys that do the same. */
  shortcut?: string
  onSelect: () => void
}
