import type { AdminUser } from './admin-api'

/** What to call a user: the name to log in with, or what the other issuer calls the user. */
export function userNameOf({ username, subject, userId }: AdminUser): string {
  return username ?? subject ?? userId
}
