/** How this user, or a group, is shown to others, as the server keeps it. */
import { useSession } from '../stores/session'
import { systemRandom } from '../platform/world'

/** What is missing stays as it is, and what is null goes. */
export interface ProfileChange {
  displayName?: string | null
  avatar?: string | null
}

/** @throws ApiError */
export async function changeProfile(change: ProfileChange): Promise<void> {
  await useSession().http.ask('/api/users/me', { method: 'PATCH', body: { clientMsgId: systemRandom.uuid(), ...change } })
}

/** Uploads a picture and returns its file. @throws ApiError */
export async function uploadPicture(picture: Blob): Promise<string> {
  const { fileId } = await useSession().http.ask<{ fileId: string }>('/api/files', { method: 'POST', query: { name: 'avatar.jpg' }, body: picture })
  return fileId
}
