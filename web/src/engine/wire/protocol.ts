// Generated from docs/protocol.schema.json by `npm run types`; do not edit.
// Identifiers are decimal strings here: they go out as such, and the codec makes them so.
// An optional field that comes in as null is absent.

/**
 * The text frames of clients and of the server in canonical form, and the reason in a close frame. Generated from crates/petrel-protocol.
 */
export type PetrelClientProtocolV1 = ClientFrame | ServerFrame | CloseReason
/**
 * A frame from a client to the server.
 */
export type ClientFrame =
  | (Auth & {
      id?: RequestId
      type: 'AUTH'
    })
  | (Reauth & {
      id?: RequestId
      type: 'REAUTH'
    })
  | (Ping & {
      id?: RequestId
      type: 'PING'
    })
  | (SingleChat & {
      id?: RequestId
      type: 'SINGLE_CHAT'
    })
  | (GroupChat & {
      id?: RequestId
      type: 'GROUP_CHAT'
    })
  | (MessageRevoke & {
      id?: RequestId
      type: 'MESSAGE_REVOKE'
    })
  | (MessageEdit & {
      id?: RequestId
      type: 'MESSAGE_EDIT'
    })
  | (MessageReact & {
      id?: RequestId
      type: 'REACTION'
    })
  | (MessagePin & {
      id?: RequestId
      type: 'MESSAGE_PIN'
    })
  | (MessageHide & {
      id?: RequestId
      type: 'MESSAGE_HIDE'
    })
  | (ConversationSettingsChange & {
      id?: RequestId
      type: 'CONVERSATION_SETTINGS'
    })
  | (Readers & {
      id?: RequestId
      type: 'READERS'
    })
  | (GroupCreate & {
      id?: RequestId
      type: 'GROUP_CREATE'
    })
  | (GroupAdd & {
      id?: RequestId
      type: 'GROUP_ADD'
    })
  | (GroupRemove & {
      id?: RequestId
      type: 'GROUP_REMOVE'
    })
  | (GroupLeave & {
      id?: RequestId
      type: 'GROUP_LEAVE'
    })
  | (GroupRole & {
      id?: RequestId
      type: 'GROUP_ROLE'
    })
  | (GroupTitle & {
      id?: RequestId
      type: 'GROUP_TITLE'
    })
  | (GroupSettings & {
      id?: RequestId
      type: 'GROUP_SETTINGS'
    })
  | (GroupMember & {
      id?: RequestId
      type: 'GROUP_MEMBER'
    })
  | (GroupJoin & {
      id?: RequestId
      type: 'GROUP_JOIN'
    })
  | (GroupAnswer & {
      id?: RequestId
      type: 'GROUP_ANSWER'
    })
  | (GroupRequests & {
      id?: RequestId
      type: 'GROUP_REQUESTS'
    })
  | (GroupInvitation & {
      id?: RequestId
      type: 'GROUP_INVITATION'
    })
  | (GroupInvitations & {
      id?: RequestId
      type: 'GROUP_INVITATIONS'
    })
  | (GroupInvited & {
      id?: RequestId
      type: 'GROUP_INVITED'
    })
  | (GroupWithdraw & {
      id?: RequestId
      type: 'GROUP_WITHDRAW'
    })
  | (GroupDissolve & {
      id?: RequestId
      type: 'GROUP_DISSOLVE'
    })
  | (ContactChange & {
      id?: RequestId
      type: 'CONTACT'
    })
  | (ContactsRequest & {
      id?: RequestId
      type: 'CONTACTS'
    })
  | (Ack & {
      id?: RequestId
      type: 'ACK'
    })
  | (Sync & {
      id?: RequestId
      type: 'SYNC'
    })
  | (Pull & {
      id?: RequestId
      type: 'PULL'
    })
  | (Conversation & {
      id?: RequestId
      type: 'CONVERSATION'
    })
  | (Search & {
      id?: RequestId
      type: 'SEARCH'
    })
  | (Focus & {
      id?: RequestId
      type: 'FOCUS'
    })
  | (PresenceSubscribe & {
      id?: RequestId
      type: 'PRESENCE_SUBSCRIBE'
    })
  | (PresenceQuery & {
      id?: RequestId
      type: 'PRESENCE_QUERY'
    })
  | (Typing & {
      id?: RequestId
      type: 'TYPING'
    })
  | (CallOffer & {
      id?: RequestId
      type: 'CALL_OFFER'
    })
  | (CallAnswer & {
      id?: RequestId
      type: 'CALL_ANSWER'
    })
  | (CallIce & {
      id?: RequestId
      type: 'CALL_ICE'
    })
  | (CallHangup & {
      id?: RequestId
      type: 'CALL_HANGUP'
    })
  | (CallReject & {
      id?: RequestId
      type: 'CALL_REJECT'
    })
  | (Turn & {
      id?: RequestId
      type: 'TURN'
    })
/**
 * What a client put into `id`: a number or a short string. It goes back as it
 * came.
 */
export type RequestId = number | string
/**
 * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
 */
export type UserId = string
export type Seq = number
/**
 * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
 */
export type ConversationId = string
/**
 * A frame from the server to a client.
 */
export type ServerFrame =
  | (AuthOk & {
      id?: RequestId
      type: 'AUTH_OK'
    })
  | (AuthFail & {
      id?: RequestId
      type: 'AUTH_FAIL'
    })
  | (ReauthOk & {
      id?: RequestId
      type: 'REAUTH_OK'
    })
  | (AuthExpiring & {
      id?: RequestId
      type: 'AUTH_EXPIRING'
    })
  | (Kick & {
      id?: RequestId
      type: 'KICK'
    })
  | (Pong & {
      id?: RequestId
      type: 'PONG'
    })
  | (SingleChatPush & {
      id?: RequestId
      type: 'SINGLE_CHAT'
    })
  | (GroupChatPush & {
      id?: RequestId
      type: 'GROUP_CHAT'
    })
  | (EventPush & {
      id?: RequestId
      type: 'EVENT'
    })
  | (ServerAck & {
      id?: RequestId
      type: 'ACK'
    })
  | (SyncState & {
      id?: RequestId
      type: 'SYNC_STATE'
    })
  | (Events & {
      id?: RequestId
      type: 'EVENTS'
    })
  | (ConversationState & {
      id?: RequestId
      type: 'CONVERSATION_STATE'
    })
  | (ReaderState & {
      id?: RequestId
      type: 'READER_STATE'
    })
  | (ContactState & {
      id?: RequestId
      type: 'CONTACT_STATE'
    })
  | (GroupRequestState & {
      id?: RequestId
      type: 'GROUP_REQUEST_STATE'
    })
  | (GroupInvitationState & {
      id?: RequestId
      type: 'GROUP_INVITATION_STATE'
    })
  | (GroupInvitedState & {
      id?: RequestId
      type: 'GROUP_INVITED_STATE'
    })
  | (Gap & {
      id?: RequestId
      type: 'GAP'
    })
  | (Head & {
      id?: RequestId
      type: 'HEAD'
    })
  | (Found & {
      id?: RequestId
      type: 'FOUND'
    })
  | (Focused & {
      id?: RequestId
      type: 'FOCUSED'
    })
  | (PresenceState & {
      id?: RequestId
      type: 'PRESENCE_STATE'
    })
  | (PresenceChange & {
      id?: RequestId
      type: 'PRESENCE'
    })
  | (TypingPush & {
      id?: RequestId
      type: 'TYPING'
    })
  | (CallRing & {
      id?: RequestId
      type: 'CALL_OFFER'
    })
  | (CallAnswer & {
      id?: RequestId
      type: 'CALL_ANSWER'
    })
  | (CallIce & {
      id?: RequestId
      type: 'CALL_ICE'
    })
  | (CallState & {
      id?: RequestId
      type: 'CALL_STATE'
    })
  | (TurnCredentials & {
      id?: RequestId
      type: 'TURN_CREDENTIALS'
    })
  | (Notice & {
      id?: RequestId
      type: 'NOTICE'
    })
  | (NoticeWithdrawn & {
      id?: RequestId
      type: 'NOTICE_WITHDRAWN'
    })
  | (LimitsChanged & {
      id?: RequestId
      type: 'LIMITS'
    })
  | (Error & {
      id?: RequestId
      type: 'ERROR'
    })
/**
 * `ACK`, from the server, told apart by `ackType`.
 */
export type ServerAck = SavedAck | DoneAck | ReceiptAck

/**
 * `AUTH`.
 */
export interface Auth {
  /**
   * Optional capabilities the client has. The server ignores those it does not
   * know.
   */
  caps?: string[]
  /**
   * Name and version of the client program.
   */
  client?: string
  /**
   * The client's own stable name for this device, at most 64 bytes.
   */
  deviceId?: string
  /**
   * What kind of device it is: `web`, `ios`, `android`, `desktop`, …
   */
  platform?: string
  /**
   * The access token.
   */
  token: string
  /**
   * The protocol version the client speaks. Without it the session is a legacy
   * one.
   */
  v?: number
}
/**
 * `REAUTH`.
 */
export interface Reauth {
  /**
   * An access token of the same user.
   */
  token: string
}
/**
 * `PING`.
 */
export interface Ping {}
/**
 * `SINGLE_CHAT`, as sent.
 */
export interface SingleChat {
  attachment?: AttachmentRef
  /**
   * The text, not blank, within the limits of `AUTH_OK`. For other kinds than `TEXT` a
   * caption, which may be empty.
   */
  body?: string
  /**
   * The sender's own name for the message. The same name again in the same
   * conversation is the same message.
   */
  clientMsgId: string
  custom?: Custom
  /**
   * On a retry: when it was first sent, by the server's clock.
   */
  firstSentTs?: number
  forward?: Forward
  location?: Location
  /**
   * What the message is. Text, if missing.
   */
  msgType?: 'TEXT' | 'IMAGE' | 'FILE' | 'AUDIO' | 'VIDEO' | 'LOCATION' | 'CUSTOM'
  /**
   * The place of the message to which this one replies.
   */
  replyTo?: number
  /**
   * True when this has been sent before and its outcome is unknown.
   */
  retry?: boolean
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  to: string
}
/**
 * With `IMAGE`, `FILE`, `AUDIO` and `VIDEO`: which file.
 */
export interface AttachmentRef {
  /**
   * How long a sound or film lasts, in milliseconds.
   */
  durationMs?: number
  /**
   * Which file: the id that the server gave it.
   */
  fileId: string
  /**
   * How high a film is, in pixels.
   */
  height?: number
  /**
   * How wide a film is, in pixels.
   */
  width?: number
}
/**
 * With `CUSTOM`: what.
 */
export interface Custom {
  /**
   * What it holds: an object.
   */
  data?: {
    [k: string]: unknown
  }
  /**
   * What it is, in the words of the clients.
   */
  type: string
}
/**
 * In the place of all that: a message to be sent on.
 */
export interface Forward {
  /**
   * The conversation it is in.
   */
  conversationId: string
  /**
   * Its place there.
   */
  msgSeq: number
}
/**
 * With `LOCATION`: where.
 */
export interface Location {
  /**
   * Where it is, as people write it.
   */
  address?: string
  /**
   * Degrees north, from -90 to 90.
   */
  latitude: number
  /**
   * Degrees east, from -180 to 180.
   */
  longitude: number
  /**
   * What the place is called.
   */
  name?: string
}
/**
 * `GROUP_CHAT`, as sent.
 */
export interface GroupChat {
  attachment?: AttachmentRef1
  /**
   * The text, not blank, within the limits of `AUTH_OK`. For other kinds than `TEXT` a
   * caption, which may be empty.
   */
  body?: string
  /**
   * The sender's own name for the message. The same name again in the same
   * conversation is the same message.
   */
  clientMsgId: string
  custom?: Custom1
  /**
   * On a retry: when it was first sent, by the server's clock.
   */
  firstSentTs?: number
  forward?: Forward1
  /**
   * The group, which is the id of its conversation.
   */
  groupId: string
  location?: Location1
  /**
   * It names everybody. For the owner and admins.
   */
  mentionAll?: boolean
  /**
   * Members whom it names, at most 50.
   */
  mentions?: UserId[]
  /**
   * What the message is. Text, if missing.
   */
  msgType?: 'TEXT' | 'IMAGE' | 'FILE' | 'AUDIO' | 'VIDEO' | 'LOCATION' | 'CUSTOM'
  /**
   * The place of the message to which this one replies.
   */
  replyTo?: number
  /**
   * True when this has been sent before and its outcome is unknown.
   */
  retry?: boolean
}
/**
 * With `IMAGE`, `FILE`, `AUDIO` and `VIDEO`: which file.
 */
export interface AttachmentRef1 {
  /**
   * How long a sound or film lasts, in milliseconds.
   */
  durationMs?: number
  /**
   * Which file: the id that the server gave it.
   */
  fileId: string
  /**
   * How high a film is, in pixels.
   */
  height?: number
  /**
   * How wide a film is, in pixels.
   */
  width?: number
}
/**
 * With `CUSTOM`: what.
 */
export interface Custom1 {
  /**
   * What it holds: an object.
   */
  data?: {
    [k: string]: unknown
  }
  /**
   * What it is, in the words of the clients.
   */
  type: string
}
/**
 * In the place of all that: a message to be sent on.
 */
export interface Forward1 {
  /**
   * The conversation it is in.
   */
  conversationId: string
  /**
   * Its place there.
   */
  msgSeq: number
}
/**
 * With `LOCATION`: where.
 */
export interface Location1 {
  /**
   * Where it is, as people write it.
   */
  address?: string
  /**
   * Degrees north, from -90 to 90.
   */
  latitude: number
  /**
   * Degrees east, from -180 to 180.
   */
  longitude: number
  /**
   * What the place is called.
   */
  name?: string
}
/**
 * `MESSAGE_REVOKE`. The message is named by conversation and seq, or by `serverMsgId`.
 */
export interface MessageRevoke {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The conversation, together with `msgSeq`.
   */
  conversationId?: string
  /**
   * The message's place.
   */
  msgSeq?: number
  /**
   * Instead of conversation and seq.
   */
  serverMsgId?: string
}
/**
 * `MESSAGE_EDIT`. The message is named by conversation and seq, or by `serverMsgId`.
 */
export interface MessageEdit {
  /**
   * The text from now on, within the limits of `AUTH_OK`.
   */
  body: string
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The conversation, together with `msgSeq`.
   */
  conversationId?: string
  /**
   * The message's place.
   */
  msgSeq?: number
  /**
   * Instead of conversation and seq.
   */
  serverMsgId?: string
}
/**
 * `REACTION`. The message is named by conversation and seq, or by `serverMsgId`.
 */
export interface MessageReact {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The conversation, together with `msgSeq`.
   */
  conversationId?: string
  /**
   * With what.
   */
  emoji: string
  /**
   * The message's place.
   */
  msgSeq?: number
  /**
   * True to take one's own reaction back.
   */
  remove?: boolean
  /**
   * Instead of conversation and seq.
   */
  serverMsgId?: string
}
/**
 * `MESSAGE_PIN`. The message is named by conversation and seq, or by `serverMsgId`.
 */
export interface MessagePin {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The conversation, together with `msgSeq`.
   */
  conversationId?: string
  /**
   * The message's place.
   */
  msgSeq?: number
  /**
   * True to take it down.
   */
  remove?: boolean
  /**
   * Instead of conversation and seq.
   */
  serverMsgId?: string
}
/**
 * `MESSAGE_HIDE`: deletes messages for the client's user alone, on all devices.
 */
export interface MessageHide {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The conversation.
   */
  conversationId: string
  /**
   * These messages.
   */
  msgSeqs?: Seq[]
  /**
   * Everything up to here.
   */
  upToSeq?: number
}
/**
 * `CONVERSATION_SETTINGS`. What is missing stays as it is.
 */
export interface ConversationSettingsChange {
  /**
   * True to have it out of the way.
   */
  archived?: boolean
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The conversation.
   */
  conversationId: string
  /**
   * True to be told of it without a sound.
   */
  muted?: boolean
  /**
   * True to have it above the others.
   */
  pinned?: boolean
}
/**
 * `READERS`: who has read a message that one has sent.
 */
export interface Readers {
  /**
   * The conversation.
   */
  conversationId: string
  /**
   * The most members looked at for the answer.
   */
  limit?: number
  /**
   * The message's place.
   */
  msgSeq: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  usersAfter?: string
}
/**
 * `GROUP_CREATE`. Who sends it becomes the owner.
 */
export interface GroupCreate {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * What those may read who join later.
   */
  history?: 'joined' | 'all'
  /**
   * Who is in it from the beginning, beside the owner.
   */
  members?: UserId[]
  /**
   * What the group is called.
   */
  title: string
}
/**
 * `GROUP_ADD`.
 */
export interface GroupAdd {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
  /**
   * Who joins. Those who are members already are passed over.
   */
  members: UserId[]
}
/**
 * `GROUP_REMOVE`.
 */
export interface GroupRemove {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
  /**
   * Who goes. Those who are no members are passed over.
   */
  members: UserId[]
}
/**
 * `GROUP_LEAVE`.
 */
export interface GroupLeave {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
}
/**
 * `GROUP_ROLE`. Making somebody else the owner makes the former owner an admin.
 */
export interface GroupRole {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
  /**
   * The role from now on.
   */
  role: 'member' | 'admin' | 'owner'
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `GROUP_TITLE`.
 */
export interface GroupTitle {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
  /**
   * What the group is called from now on.
   */
  title: string
}
/**
 * `GROUP_SETTINGS`. What is missing stays as it is.
 */
export interface GroupSettings {
  /**
   * What everybody should know; empty to have none.
   */
  announcement?: string
  /**
   * Its picture: the id of one that you have uploaded, or an address; empty to have none.
   */
  avatar?: string
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * What the group is for; empty to have none.
   */
  description?: string
  /**
   * The group.
   */
  groupId: string
  /**
   * Who may join by the group's code.
   */
  joining?: 'closed' | 'approval' | 'open'
  /**
   * The most members it may have.
   */
  memberLimit?: number
  /**
   * True to let every member pin messages, and not only the owner and admins.
   */
  membersPin?: boolean
  /**
   * True to let only the owner and admins speak.
   */
  muted?: boolean
  /**
   * True to have another code; the old one leads nowhere then.
   */
  renewCode?: boolean
}
/**
 * `GROUP_MEMBER`: what a member is called, or how long a member may not speak.
 */
export interface GroupMember {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
  /**
   * For how long the member may not speak from now on, in milliseconds; 0 to let the
   * member speak again.
   */
  muteMs?: number
  /**
   * What the member is called here; empty to have no name of one's own.
   */
  nickname?: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `GROUP_JOIN`: joins a group by its code, or asks to.
 */
export interface GroupJoin {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The code of the group.
   */
  code: string
  /**
   * What to say to those who decide.
   */
  message?: string
}
/**
 * `GROUP_ANSWER`: lets somebody in who has asked to join, or not.
 */
export interface GroupAnswer {
  /**
   * Whether the user is let in.
   */
  accept: boolean
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `GROUP_REQUESTS`: who waits to be let into a group. For the owner and admins.
 */
export interface GroupRequests {
  /**
   * The group.
   */
  groupId: string
  /**
   * The most requests wanted in the answer.
   */
  limit?: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  usersAfter?: string
}
/**
 * `GROUP_INVITATION`: accepts an invitation into a group, or refuses it.
 */
export interface GroupInvitation {
  /**
   * Whether you come in.
   */
  accept: boolean
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
}
/**
 * `GROUP_INVITATIONS`: into which groups are you invited?
 */
export interface GroupInvitations {
  /**
   * Wanted are groups with ids above this one.
   */
  groupsAfter?: string
  /**
   * The most invitations wanted in the answer.
   */
  limit?: number
}
/**
 * `GROUP_INVITED`: who is invited into a group? For its owner and admins.
 */
export interface GroupInvited {
  /**
   * The group.
   */
  groupId: string
  /**
   * The most users wanted in the answer.
   */
  limit?: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  usersAfter?: string
}
/**
 * `GROUP_WITHDRAW`: takes an invitation into a group back. For its owner and admins.
 */
export interface GroupWithdraw {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `GROUP_DISSOLVE`.
 */
export interface GroupDissolve {
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * The group.
   */
  groupId: string
}
/**
 * `CONTACT`: a change of what you and another user are to each other.
 */
export interface ContactChange {
  /**
   * What to do.
   */
  action: 'apply' | 'accept' | 'reject' | 'withdraw' | 'remove' | 'remark' | 'block' | 'unblock'
  /**
   * The sender's own name for this change.
   */
  clientMsgId: string
  /**
   * With `apply`: what to say to the other.
   */
  message?: string
  /**
   * With `remark`: what to call the friend; missing to have no remark.
   */
  remark?: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `CONTACTS`: a page of one of your lists.
 */
export interface ContactsRequest {
  /**
   * The most contacts wanted in the answer.
   */
  limit?: number
  /**
   * Which list.
   */
  list: 'friends' | 'incoming' | 'outgoing' | 'blocked'
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  usersAfter?: string
}
/**
 * `ACK`, from a client: one position, or several in `items`.
 */
export interface Ack {
  /**
   * Received or read.
   */
  ackType: 'delivered' | 'read'
  /**
   * The conversation, together with `msgSeq`.
   */
  conversationId?: string
  /**
   * Several positions at once, at most 256.
   */
  items?: AckItem[]
  /**
   * Everything up to and including this is received or read.
   */
  msgSeq?: number
  /**
   * Instead of conversation and seq: the message they belong to.
   */
  serverMsgId?: string
}
/**
 * One position of an `ACK`.
 */
export interface AckItem {
  /**
   * The conversation.
   */
  conversationId: string
  /**
   * Everything up to and including this is received or read.
   */
  msgSeq: number
}
/**
 * `SYNC`.
 */
export interface Sync {
  /**
   * The most conversations wanted in the answer.
   */
  limit?: number
  /**
   * The `token` of the last `SYNC_STATE`. A device that has none starts anew.
   */
  token?: string
}
/**
 * `PULL`. Either `afterSeq` (forwards) or `beforeSeq` (backwards), not both.
 */
export interface Pull {
  /**
   * Wanted are events after this one, oldest first.
   */
  afterSeq?: number
  /**
   * Wanted are events before this one, nearest first; they still come in order.
   */
  beforeSeq?: number
  /**
   * The conversation.
   */
  conversationId: string
  /**
   * The most events wanted in the answer.
   */
  limit?: number
}
/**
 * `CONVERSATION`.
 */
export interface Conversation {
  /**
   * The conversation.
   */
  conversationId: string
  /**
   * The most members wanted in the answer.
   */
  limit?: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  membersAfter?: string
}
/**
 * `SEARCH`. At least one of `q`, `from` and `msgType` is needed.
 */
export interface Search {
  /**
   * Only messages that were numbered at this time or later.
   */
  afterTs?: number
  /**
   * Only messages that were numbered before this time.
   */
  beforeTs?: number
  /**
   * Only in this conversation.
   */
  conversationId?: string
  /**
   * The `cursor` of the answer that this one is to continue.
   */
  cursor?: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from?: string
  /**
   * The most messages wanted in the answer.
   */
  limit?: number
  /**
   * Only messages of this kind.
   */
  msgType?: 'TEXT' | 'IMAGE' | 'FILE' | 'AUDIO' | 'VIDEO' | 'LOCATION' | 'CUSTOM' | 'CALL'
  /**
   * What to look for: words and signs, all of which must be there; between double
   * quotes, in this order.
   */
  q?: string
}
/**
 * `FOCUS`. The conversations are named by `conversationId` or `conversationIds`.
 */
export interface Focus {
  /**
   * One conversation.
   */
  conversationId?: string
  /**
   * Several conversations.
   */
  conversationIds?: ConversationId[]
  /**
   * False to look away. True, if missing.
   */
  on?: boolean
}
/**
 * `PRESENCE_SUBSCRIBE`: whose comings and goings this session is told from now on, in the
 * place of those it named before.
 */
export interface PresenceSubscribe {
  /**
   * The users, at most 256; nobody, if empty.
   */
  users: UserId[]
}
/**
 * `PRESENCE_QUERY`: who of some users is online?
 */
export interface PresenceQuery {
  /**
   * The users, at most 256.
   */
  users: UserId[]
}
/**
 * `TYPING`, as sent. The conversation is named by `conversationId`, or by `to`.
 */
export interface Typing {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId?: string
  /**
   * You have stopped without sending anything.
   */
  stopped?: boolean
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  to?: string
}
/**
 * `CALL_OFFER`, as sent: somebody calls.
 */
export interface CallOffer {
  /**
   * The caller's name for the call, never used before by anybody.
   */
  callId: string
  /**
   * What is to be sent.
   */
  media: 'audio' | 'video'
  /**
   * The first name of the call from which the two were cut off, and which goes on with
   * this one.
   */
  resumes?: string
  /**
   * The caller's session description, at most 30 KiB.
   */
  sdp: string
  /**
   * Who is called.
   */
  to: string
}
/**
 * `CALL_ANSWER`: the callee takes the call on this device.
 */
export interface CallAnswer {
  /**
   * The call.
   */
  callId: string
  /**
   * The callee's session description, at most 30 KiB.
   */
  sdp: string
}
/**
 * `CALL_ICE`: a way to reach one side.
 */
export interface CallIce {
  /**
   * The call.
   */
  callId: string
  /**
   * The candidate, as the devices agree to write it (a browser's `RTCIceCandidate` as
   * JSON text), at most 2 KiB.
   */
  candidate: string
}
/**
 * `CALL_HANGUP`.
 */
export interface CallHangup {
  /**
   * The call.
   */
  callId: string
}
/**
 * `CALL_REJECT`.
 */
export interface CallReject {
  /**
   * The call.
   */
  callId: string
}
/**
 * `TURN`: with what does this device reach others from behind NATs and firewalls?
 */
export interface Turn {}
/**
 * `AUTH_OK`.
 */
export interface AuthOk {
  /**
   * The capabilities in force: those of the client that this server knows.
   */
  caps: string[]
  /**
   * The epoch in which positions are valid. On another one than before, drop
   * positions and cached events (not the unsent outbox) and start anew.
   */
  epoch: string
  /**
   * Who you are.
   */
  from: string
  limits: Limits
  /**
   * The name of this session.
   */
  sessionId: string
  /**
   * The server's clock.
   */
  ts: number
  /**
   * The protocol version of this session.
   */
  v: number
}
/**
 * The bounds of this session.
 */
export interface Limits {
  /**
   * A client says at most once in this time, in milliseconds, how far it has received a
   * group's conversation.
   */
  ackIntervalMs: number
  /**
   * The most positions of one `ACK`.
   */
  ackItems: number
  /**
   * The longest body, in bytes.
   */
  bodyBytes: number
  /**
   * The longest body, in UTF-16 code units.
   */
  bodyUnits: number
  /**
   * The most users that one command brings into a group or takes out of it.
   */
  changeMembers: number
  /**
   * How long after sending a sender may edit a message, in milliseconds.
   */
  editWindowMs: number
  /**
   * The most conversations that one session may have in focus.
   */
  focusConversations: number
  /**
   * The largest frame, in bytes.
   */
  frameBytes: number
  /**
   * The most members of a group.
   */
  groupMembers: number
  /**
   * From as many members on a group is very large, and devices with the capability
   * `head` get `HEAD`. 0 when no group is.
   */
  headMembers: number
  /**
   * Silence after which the server drops the connection, in milliseconds.
   */
  idleTimeoutMs: number
  /**
   * Silence after which the server pings, in milliseconds.
   */
  pingIntervalMs: number
  /**
   * The most events of one `EVENTS`.
   */
  pullEvents: number
  rates: Rates
  /**
   * How long after sending a sender may recall a message, in milliseconds.
   */
  recallWindowMs: number
  /**
   * How long a message is recognised when it is sent again, in milliseconds.
   */
  retryWindowMs: number
  /**
   * How many sends may wait for their ack.
   */
  sendsInFlight: number
  /**
   * The most members of one `CONVERSATION_STATE`.
   */
  stateMembers: number
  /**
   * The most conversations of one `SYNC_STATE`.
   */
  syncConversations: number
  /**
   * The longest title of a group, in UTF-16 code units.
   */
  titleUnits: number
}
/**
 * How fast this session may send.
 */
export interface Rates {
  /**
   * Frames at once.
   */
  framesBurst: number
  /**
   * Frames a second on average. Each position of an `ACK` counts as one.
   */
  framesPerSecond: number
  /**
   * `SYNC`, `PULL`, `CONVERSATION` and `FOCUS` at once.
   */
  readsBurst: number
  /**
   * `SYNC`, `PULL`, `CONVERSATION` and `FOCUS` a second on average.
   */
  readsPerSecond: number
  /**
   * Messages and changes at once.
   */
  sendsBurst: number
  /**
   * Messages and changes a second on average.
   */
  sendsPerSecond: number
}
/**
 * `AUTH_FAIL`.
 */
export interface AuthFail {
  /**
   * Why, for people.
   */
  message: string
  /**
   * Why.
   */
  reason:
    | 'bad_json'
    | 'missing_type'
    | 'unknown_type'
    | 'invalid_field'
    | 'missing_to'
    | 'missing_body'
    | 'missing_msg_id'
    | 'missing_ack_type'
    | 'body_too_long'
    | 'cannot_send_to_self'
    | 'bad_sync_token'
    | 'weak_password'
    | 'bad_username'
    | 'missing_group_id'
    | 'bad_title'
    | 'search_too_broad'
    | 'wrong_file_kind'
    | 'upload_cut'
    | 'missing_token'
    | 'invalid_token'
    | 'token_expired'
    | 'unauthorized'
    | 'auth_timeout'
    | 'bad_credentials'
    | 'invalid_refresh_token'
    | 'login_revoked'
    | 'registration_closed'
    | 'forbidden_origin'
    | 'not_allowed'
    | 'too_late'
    | 'invalid_invite'
    | 'another_user'
    | 'not_reachable'
    | 'blocked_by_you'
    | 'not_friends'
    | 'muted'
    | 'quota_exceeded'
    | 'invalid_link'
    | 'account_disabled'
    | 'invalid_reset_code'
    | 'word_refused'
    | 'not_found'
    | 'conversation_not_found'
    | 'user_not_found'
    | 'message_not_found'
    | 'device_not_found'
    | 'application_not_found'
    | 'notice_not_found'
    | 'file_not_found'
    | 'call_not_found'
    | 'search_off'
    | 'method_not_allowed'
    | 'username_taken'
    | 'retry_too_old'
    | 'nothing_to_change'
    | 'group_full'
    | 'kicked'
    | 'limit_reached'
    | 'call_id_taken'
    | 'in_call'
    | 'busy'
    | 'glare'
    | 'call_elsewhere'
    | 'call_state'
    | 'too_many_uploads'
    | 'upload_offset_mismatch'
    | 'upload_unfinished'
    | 'last_admin'
    | 'tus_version'
    | 'frame_too_large'
    | 'file_too_large'
    | 'unsupported_media_type'
    | 'range_not_satisfiable'
    | 'upload_busy'
    | 'too_many_requests'
    | 'checksum_mismatch'
    | 'internal_error'
    | 'server_busy'
    | 'after_refused'
    | 'timeout'
    | 'storage_full'
}
/**
 * `REAUTH_OK`.
 */
export interface ReauthOk {
  /**
   * How long the new token lasts, in milliseconds.
   */
  expiresInMs: number
}
/**
 * `AUTH_EXPIRING`.
 */
export interface AuthExpiring {
  /**
   * How long the token still lasts, in milliseconds; 0 if it has expired.
   */
  inMs: number
}
/**
 * `KICK`.
 */
export interface Kick {
  /**
   * Why, for people.
   */
  message: string
  /**
   * Why, for programs: the word of the close code that follows.
   */
  reason: string
}
/**
 * `PONG`.
 */
export interface Pong {
  /**
   * The server's clock.
   */
  ts: number
}
/**
 * `SINGLE_CHAT`, as delivered to the receiver and to the sender's other devices.
 */
export interface SingleChatPush {
  attachment?: Attachment
  /**
   * The text, or the caption of what is not a text; empty, if the message was recalled.
   */
  body: string
  call?: CallRecord
  /**
   * The sender's own name for the message.
   */
  clientMsgId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  custom?: Custom2
  /**
   * The body is not the one that was sent first.
   */
  edited?: boolean
  forwardedFrom?: ForwardedFrom
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  location?: Location2
  /**
   * The message's place in the conversation's timeline.
   */
  msgSeq: number
  /**
   * What the message is.
   */
  msgType: 'TEXT' | 'IMAGE' | 'FILE' | 'AUDIO' | 'VIDEO' | 'LOCATION' | 'CUSTOM' | 'CALL'
  /**
   * What users think of it.
   */
  reactions?: Reaction[]
  /**
   * The message was taken back.
   */
  recalled?: boolean
  /**
   * It was pushed to this device before and not acknowledged.
   */
  redelivered?: boolean
  replyTo?: ReplyTo
  /**
   * The last change that is applied to what stands here: its seq.
   */
  rev?: number
  /**
   * The system's name for the message.
   */
  serverMsgId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  to: string
  /**
   * When the server numbered it.
   */
  ts: number
}
/**
 * The file that goes with it.
 */
export interface Attachment {
  /**
   * What it is, by its first bytes: a media type.
   */
  contentType: string
  /**
   * How long a sound or film lasts, in milliseconds.
   */
  durationMs?: number
  /**
   * Which file.
   */
  fileId: string
  /**
   * How high a picture or film is, in pixels.
   */
  height?: number
  /**
   * What it is called.
   */
  name: string
  /**
   * How long it is, in bytes.
   */
  size: number
  /**
   * There is a small picture of it.
   */
  thumbnail?: boolean
  /**
   * How wide a picture or film is, in pixels.
   */
  width?: number
}
/**
 * What stays of a call.
 */
export interface CallRecord {
  /**
   * The call.
   */
  callId: string
  /**
   * For how long they talked, in milliseconds, if it was answered.
   */
  durationMs?: number
  /**
   * What was sent.
   */
  media: 'audio' | 'video'
  /**
   * How it ended.
   */
  outcome: 'answered' | 'missed' | 'cancelled' | 'rejected' | 'busy'
}
/**
 * What only clients understand.
 */
export interface Custom2 {
  /**
   * What it holds: an object.
   */
  data?: {
    [k: string]: unknown
  }
  /**
   * What it is, in the words of the clients.
   */
  type: string
}
/**
 * Where it comes from, if it was sent on.
 */
export interface ForwardedFrom {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * The place that it tells.
 */
export interface Location2 {
  /**
   * Where it is, as people write it.
   */
  address?: string
  /**
   * Degrees north, from -90 to 90.
   */
  latitude: number
  /**
   * Degrees east, from -180 to 180.
   */
  longitude: number
  /**
   * What the place is called.
   */
  name?: string
}
/**
 * What users think of a message, in a sign.
 */
export interface Reaction {
  /**
   * The sign.
   */
  emoji: string
  /**
   * Who, those first who reacted first.
   */
  users: UserId[]
}
/**
 * The message to which it replies.
 */
export interface ReplyTo {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  /**
   * Its place.
   */
  msgSeq: number
}
/**
 * `GROUP_CHAT`, as delivered to the members and to the sender's other devices.
 */
export interface GroupChatPush {
  attachment?: Attachment1
  /**
   * The text, or the caption of what is not a text; empty, if the message was recalled.
   */
  body: string
  /**
   * The sender's own name for the message.
   */
  clientMsgId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  custom?: Custom3
  /**
   * The body is not the one that was sent first.
   */
  edited?: boolean
  forwardedFrom?: ForwardedFrom1
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  groupId: string
  location?: Location3
  /**
   * It names everybody.
   */
  mentionAll?: boolean
  /**
   * Members whom it names.
   */
  mentions?: UserId[]
  /**
   * The message's place in the conversation's timeline.
   */
  msgSeq: number
  /**
   * What the message is.
   */
  msgType: 'TEXT' | 'IMAGE' | 'FILE' | 'AUDIO' | 'VIDEO' | 'LOCATION' | 'CUSTOM' | 'CALL'
  /**
   * What users think of it.
   */
  reactions?: Reaction[]
  /**
   * The message was taken back.
   */
  recalled?: boolean
  /**
   * It was pushed to this device before and not acknowledged.
   */
  redelivered?: boolean
  replyTo?: ReplyTo1
  /**
   * The last change that is applied to what stands here: its seq.
   */
  rev?: number
  /**
   * The system's name for the message.
   */
  serverMsgId: string
  /**
   * When the server numbered it.
   */
  ts: number
}
/**
 * The file that goes with it.
 */
export interface Attachment1 {
  /**
   * What it is, by its first bytes: a media type.
   */
  contentType: string
  /**
   * How long a sound or film lasts, in milliseconds.
   */
  durationMs?: number
  /**
   * Which file.
   */
  fileId: string
  /**
   * How high a picture or film is, in pixels.
   */
  height?: number
  /**
   * What it is called.
   */
  name: string
  /**
   * How long it is, in bytes.
   */
  size: number
  /**
   * There is a small picture of it.
   */
  thumbnail?: boolean
  /**
   * How wide a picture or film is, in pixels.
   */
  width?: number
}
/**
 * What only clients understand.
 */
export interface Custom3 {
  /**
   * What it holds: an object.
   */
  data?: {
    [k: string]: unknown
  }
  /**
   * What it is, in the words of the clients.
   */
  type: string
}
/**
 * Where it comes from, if it was sent on.
 */
export interface ForwardedFrom1 {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * The place that it tells.
 */
export interface Location3 {
  /**
   * Where it is, as people write it.
   */
  address?: string
  /**
   * Degrees north, from -90 to 90.
   */
  latitude: number
  /**
   * Degrees east, from -180 to 180.
   */
  longitude: number
  /**
   * What the place is called.
   */
  name?: string
}
/**
 * The message to which it replies.
 */
export interface ReplyTo1 {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  /**
   * Its place.
   */
  msgSeq: number
}
/**
 * `EVENT`: something other than a message happened in a timeline.
 */
export interface EventPush {
  /**
   * What happened.
   */
  change:
    | {
        kind: 'recalled'
        /**
         * The message's place.
         */
        targetSeq: number
      }
    | {
        /**
         * The text from here on. Missing when a later change has made it void.
         */
        body?: string
        kind: 'edited'
        /**
         * The message's place.
         */
        targetSeq: number
      }
    | {
        /**
         * With what.
         */
        emoji: string
        kind: 'reacted'
        /**
         * The reaction was taken back.
         */
        removed?: boolean
        /**
         * The message's place.
         */
        targetSeq: number
      }
    | {
        kind: 'pinned'
        /**
         * It was taken down.
         */
        removed?: boolean
        /**
         * The message's place.
         */
        targetSeq: number
      }
    | {
        /**
         * What those may read who join later.
         */
        history: 'joined' | 'all'
        kind: 'groupCreated'
        /**
         * Who is in it, beside the owner.
         */
        members: UserId[]
        /**
         * What it is called.
         */
        title: string
      }
    | {
        kind: 'membersAdded'
        /**
         * Who.
         */
        members: UserId[]
      }
    | {
        kind: 'membersRemoved'
        /**
         * Who.
         */
        members: UserId[]
      }
    | {
        kind: 'memberLeft'
      }
    | {
        kind: 'roleChanged'
        /**
         * Which.
         */
        role: 'member' | 'admin' | 'owner'
        /**
         * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
         */
        user: string
      }
    | {
        kind: 'titleChanged'
        /**
         * Which.
         */
        title: string
      }
    | {
        group: GroupInfo
        kind: 'groupChanged'
      }
    | {
        kind: 'memberChanged'
        /**
         * Until when the member may not speak.
         */
        mutedUntilTs?: number
        /**
         * What the member is called now; missing if nothing of its own.
         */
        nickname?: string
        /**
         * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
         */
        user: string
      }
    | {
        kind: 'joinRequested'
      }
    | {
        kind: 'joinRefused'
        /**
         * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
         */
        user: string
      }
    | {
        /**
         * From when on the invitation counts as none.
         */
        expiresTs: number
        kind: 'membersInvited'
        /**
         * Who.
         */
        members: UserId[]
      }
    | {
        kind: 'invitationRefused'
      }
    | {
        kind: 'invitationWithdrawn'
        /**
         * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
         */
        user: string
      }
    | {
        kind: 'groupDissolved'
      }
    | {
        /**
         * Which.
         */
        conversationId: string
        kind: 'conversationAdded'
      }
    | {
        /**
         * Which.
         */
        conversationId: string
        kind: 'conversationRemoved'
      }
    | {
        /**
         * Which.
         */
        conversationId: string
        kind: 'conversationRefused'
      }
    | {
        /**
         * Which.
         */
        conversationId: string
        /**
         * From when on the invitation counts as none.
         */
        expiresTs: number
        kind: 'groupInvited'
        /**
         * What it is called.
         */
        title: string
      }
    | {
        /**
         * Which.
         */
        conversationId: string
        kind: 'groupInvitationEnded'
      }
    | {
        /**
         * Where.
         */
        conversationId: string
        kind: 'messagesHidden'
        /**
         * Which.
         */
        msgSeqs?: Seq[]
        /**
         * Everything up to here.
         */
        upToSeq?: number
      }
    | {
        /**
         * Which.
         */
        conversationId: string
        kind: 'conversationSettingsChanged'
        settings: ConversationSettings
      }
    | {
        /**
         * What `from` did.
         */
        action:
          'apply' | 'accept' | 'reject' | 'withdraw' | 'remove' | 'remark' | 'block' | 'unblock'
        contact: Contact
        kind: 'contactChanged'
      }
    | {
        kind: 'settingsChanged'
        settings: UserSettings
      }
  /**
   * The name that who caused it gave to the change.
   */
  clientMsgId?: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * What to show instead, in English, for clients that don't know the kind.
   */
  fallback: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  /**
   * The event's place in the conversation's timeline.
   */
  msgSeq: number
  /**
   * It was pushed to this device before and not acknowledged.
   */
  redelivered?: boolean
  /**
   * The system's name for the event.
   */
  serverMsgId: string
  /**
   * When the server numbered it.
   */
  ts: number
}
/**
 * What it is now.
 */
export interface GroupInfo {
  /**
   * What everybody should know.
   */
  announcement?: string
  /**
   * Its picture: the id of a file that members may have a thumbnail of, or an address.
   */
  avatar?: string
  /**
   * The code; none while nobody may join by it.
   */
  code?: string
  /**
   * What it is for.
   */
  description?: string
  /**
   * Who may join by the code.
   */
  joining?: 'closed' | 'approval' | 'open'
  /**
   * The most members it may have, if there are to be fewer than in any group.
   */
  memberLimit?: number
  /**
   * Every member may pin messages, and not only the owner and admins.
   */
  membersPin?: boolean
  /**
   * Only the owner and admins may speak.
   */
  muted?: boolean
}
/**
 * What it is now.
 */
export interface ConversationSettings {
  /**
   * It is out of the way.
   */
  archived?: boolean
  /**
   * News of it make no sound.
   */
  muted?: boolean
  /**
   * It stands above the others.
   */
  pinned?: boolean
}
/**
 * What the other is now.
 */
export interface Contact {
  application?: Application
  /**
   * You let nothing come from the other.
   */
  blocked?: boolean
  /**
   * Since when you are friends.
   */
  friendSinceTs?: number
  /**
   * What you call the friend.
   */
  remark?: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * An application that waits.
 */
export interface Application {
  /**
   * Who applies, the other user or you.
   */
  direction: 'incoming' | 'outgoing'
  /**
   * From when on it counts as none.
   */
  expiresTs: number
  /**
   * What the applicant says.
   */
  message?: string
  /**
   * When.
   */
  ts: number
}
/**
 * How it is now.
 */
export interface UserSettings {
  /**
   * The file that is your picture.
   */
  avatar?: string
  /**
   * What you are called by others.
   */
  displayName?: string
  /**
   * Whether others find you by your user name.
   */
  findable: boolean
  /**
   * The code by which those find you to whom you give it.
   */
  friendCode?: string
  /**
   * Who takes you into groups at once; missing if everybody.
   */
  groupAdds?: 'everybody' | 'friends' | 'ask'
  /**
   * Whether you look offline to everybody else.
   */
  presenceHidden?: boolean
}
/**
 * Your message is on disk.
 */
export interface SavedAck {
  /**
   * Always `saved`.
   */
  ackType: 'saved'
  /**
   * The earlier message under this `clientMsgId` has another body.
   */
  bodyDiffers?: boolean
  /**
   * The sender's own name for the message.
   */
  clientMsgId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * The message had been stored before; nothing was stored now.
   */
  duplicate?: boolean
  /**
   * What it would take to lose it.
   */
  durability: 'fsync'
  /**
   * The message's place in the conversation's timeline.
   */
  msgSeq: number
  /**
   * The system's name for the message.
   */
  serverMsgId: string
  /**
   * When the server numbered it.
   */
  ts: number
  /**
   * Words in it were replaced: what is stored, and told to others, is not what was sent.
   * Fetch it.
   */
  wordsReplaced?: boolean
}
/**
 * What you asked for is done and on disk.
 */
export interface DoneAck {
  /**
   * Always `done`.
   */
  ackType: 'done'
  /**
   * The sender's own name for the change.
   */
  clientMsgId: string
  /**
   * The change had been stored before; nothing was stored now.
   */
  duplicate?: boolean
  /**
   * When the server decided it.
   */
  ts: number
}
/**
 * A member has received or read up to a message.
 */
export interface ReceiptAck {
  /**
   * Received or read.
   */
  ackType: 'delivered' | 'read'
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  /**
   * Everything up to and including this.
   */
  msgSeq: number
  /**
   * When.
   */
  ts: number
}
/**
 * `SYNC_STATE`: conversations that changed, newest first.
 */
export interface SyncState {
  /**
   * The conversations.
   */
  conversations: SyncConversation[]
  /**
   * The epoch in which the positions here are valid.
   */
  epoch: string
  /**
   * There is more: send `SYNC` with `token` at once.
   */
  more: boolean
  /**
   * The token given was of another epoch: drop positions and cached events, and
   * take this as a new device's first sync.
   */
  resync?: boolean
  /**
   * For the next `SYNC`. Opaque.
   */
  token: string
}
/**
 * One conversation in `SYNC_STATE`.
 */
export interface SyncConversation {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * How far any of your devices has received.
   */
  deliveredSeq: number
  /**
   * The number of the last countable message.
   */
  headMsgNo: number
  /**
   * The last event of the timeline.
   */
  headSeq: number
  /**
   * What it is.
   */
  kind: 'single' | 'group' | 'personal'
  /**
   * You are no longer a member; `headSeq` is the last event that you may read.
   */
  left?: boolean
  /**
   * How many members a group has, unless you have left.
   */
  memberCount?: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  peer?: string
  /**
   * How far any device of the peer of a single chat has received.
   */
  peerDeliveredSeq?: number
  /**
   * How far the peer of a single chat has read.
   */
  peerReadSeq?: number
  /**
   * How far you have read, on any device.
   */
  readSeq: number
  settings?: ConversationSettings1
  /**
   * The title of a group, unless you have left: it may be another one since.
   */
  title?: string
  /**
   * When the last event was numbered.
   */
  ts: number
  /**
   * Messages after `readSeq`.
   */
  unread: number
  /**
   * How many of them name you or everybody, counted up to 100.
   */
  unreadMentions?: number
}
/**
 * What it is to you, unless it is like every new conversation.
 */
export interface ConversationSettings1 {
  /**
   * It is out of the way.
   */
  archived?: boolean
  /**
   * News of it make no sound.
   */
  muted?: boolean
  /**
   * It stands above the others.
   */
  pinned?: boolean
}
/**
 * `EVENTS`: covers `fromSeq..=toSeq` of the timeline. Nothing is covered when
 * `fromSeq > toSeq`.
 */
export interface Events {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * The events, in order, each in the form in which it is pushed.
   */
  events: unknown[]
  /**
   * The first seq covered.
   */
  fromSeq: number
  /**
   * There is more in the direction asked.
   */
  hasMore: boolean
  /**
   * The last event of the timeline.
   */
  headSeq: number
  /**
   * The last seq covered.
   */
  toSeq: number
  /**
   * Events before this seq are no longer kept. 1 when nothing was trimmed.
   */
  trimmedBefore: number
}
/**
 * `CONVERSATION_STATE`: what a conversation is at `asOfSeq`. Events after it apply on
 * top.
 */
export interface ConversationState {
  /**
   * Everything up to this event is in the answer.
   */
  asOfSeq: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  group?: GroupInfo1
  /**
   * What those may read who join a group.
   */
  history?: 'joined' | 'all'
  /**
   * What it is.
   */
  kind: 'single' | 'group' | 'personal'
  /**
   * How many members there are.
   */
  memberCount: number
  /**
   * A page of the members, by user id.
   */
  members: StateMember[]
  /**
   * There are more members: ask with `membersAfter` set to the last one.
   */
  more: boolean
  /**
   * The messages that are pinned, the last one that was pinned at the end.
   */
  pins?: Seq[]
  /**
   * The title of a group.
   */
  title?: string
  /**
   * Events before this seq are no longer kept. 1 when nothing was trimmed.
   */
  trimmedBefore: number
}
/**
 * What a group is beside that.
 */
export interface GroupInfo1 {
  /**
   * What everybody should know.
   */
  announcement?: string
  /**
   * Its picture: the id of a file that members may have a thumbnail of, or an address.
   */
  avatar?: string
  /**
   * The code; none while nobody may join by it.
   */
  code?: string
  /**
   * What it is for.
   */
  description?: string
  /**
   * Who may join by the code.
   */
  joining?: 'closed' | 'approval' | 'open'
  /**
   * The most members it may have, if there are to be fewer than in any group.
   */
  memberLimit?: number
  /**
   * Every member may pin messages, and not only the owner and admins.
   */
  membersPin?: boolean
  /**
   * Only the owner and admins may speak.
   */
  muted?: boolean
}
/**
 * A member in `CONVERSATION_STATE`.
 */
export interface StateMember {
  /**
   * Until when the member may not speak.
   */
  mutedUntilTs?: number
  /**
   * What the member is called here.
   */
  nickname?: string
  /**
   * What the user may do.
   */
  role: 'member' | 'admin' | 'owner'
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `READER_STATE`: a page of those who may read a message, and who of them has.
 */
export interface ReaderState {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  lastUser?: string
  /**
   * There are more: ask with `usersAfter` set to `lastUser`.
   */
  more: boolean
  /**
   * The message's place.
   */
  msgSeq: number
  /**
   * The present members who may read it, but for its sender, by user id.
   */
  readers: Reader[]
}
/**
 * Somebody who may read a message.
 */
export interface Reader {
  /**
   * A device of the user has received it.
   */
  delivered: boolean
  /**
   * The user has read it.
   */
  read: boolean
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `CONTACT_STATE`: a page of a list of contacts at `asOfSeq` of your personal timeline.
 * Events after it apply on top.
 */
export interface ContactState {
  /**
   * Everything up to this event of it is in the answer.
   */
  asOfSeq: number
  /**
   * The contacts, by user id.
   */
  contacts: Contact1[]
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId?: string
  /**
   * Which list.
   */
  list: 'friends' | 'incoming' | 'outgoing' | 'blocked'
  /**
   * There are more: ask with `usersAfter` set to the last one.
   */
  more: boolean
}
/**
 * What another user is to you.
 */
export interface Contact1 {
  application?: Application
  /**
   * You let nothing come from the other.
   */
  blocked?: boolean
  /**
   * Since when you are friends.
   */
  friendSinceTs?: number
  /**
   * What you call the friend.
   */
  remark?: string
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `GROUP_REQUEST_STATE`: a page of those who wait, at `asOfSeq` of the group's timeline.
 */
export interface GroupRequestState {
  /**
   * Everything up to this event is in the answer.
   */
  asOfSeq: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  groupId: string
  /**
   * There are more: ask with `usersAfter` set to the last one.
   */
  more: boolean
  /**
   * Who waits, by user id.
   */
  requests: JoinRequest[]
}
/**
 * Somebody who waits to be let into a group.
 */
export interface JoinRequest {
  /**
   * What the user says.
   */
  message?: string
  /**
   * Since when.
   */
  ts: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `GROUP_INVITATION_STATE`: a page of your invitations at `asOfSeq` of your personal
 * timeline. Events after it apply on top.
 */
export interface GroupInvitationState {
  /**
   * Everything up to this event of it is in the answer.
   */
  asOfSeq: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId?: string
  /**
   * The invitations, by the group's id.
   */
  invitations: Invitation[]
  /**
   * There are more: ask with `groupsAfter` set to the last one.
   */
  more: boolean
}
/**
 * An invitation into a group.
 */
export interface Invitation {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  by: string
  /**
   * From when on it counts as none.
   */
  expiresTs: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  groupId: string
  /**
   * What it was called then.
   */
  title: string
  /**
   * When.
   */
  ts: number
}
/**
 * `GROUP_INVITED_STATE`: a page of those who are invited, at `asOfSeq` of the group's
 * timeline. Events after it apply on top.
 */
export interface GroupInvitedState {
  /**
   * Everything up to this event is in the answer.
   */
  asOfSeq: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  groupId: string
  /**
   * Who is invited, by user id.
   */
  invited: Invited[]
  /**
   * There are more: ask with `usersAfter` set to the last one.
   */
  more: boolean
}
/**
 * Somebody who is invited into a group and has not answered.
 */
export interface Invited {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  by: string
  /**
   * From when on it counts as none.
   */
  expiresTs: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `GAP`: events up to `headSeq` were not pushed to this device. Pull them.
 */
export interface Gap {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * The last event that was not pushed.
   */
  headSeq: number
}
/**
 * `HEAD`: there are events up to `headSeq` in a very large group. They are not pushed to
 * this device as long as it does not have the group in focus; it can pull them.
 */
export interface Head {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * The last event of the timeline.
   */
  headSeq: number
}
/**
 * `FOUND`: messages, newest first.
 */
export interface Found {
  /**
   * How many changes of the whole system are still to be looked at; 0 if everything is
   * searched.
   */
  behind: number
  /**
   * There may be more: the same search with this `cursor` continues.
   */
  cursor?: string
  /**
   * The messages.
   */
  hits: Hit[]
  /**
   * Messages with a `serverMsgId` above this one are not searched yet, and changes of
   * others neither.
   */
  indexedUpTo: string
}
/**
 * A message that was found.
 */
export interface Hit {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  excerpt: Excerpt
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  /**
   * The message's place in the conversation's timeline.
   */
  msgSeq: number
  /**
   * What kind of message it is.
   */
  msgType: 'TEXT' | 'IMAGE' | 'FILE' | 'AUDIO' | 'VIDEO' | 'LOCATION' | 'CUSTOM' | 'CALL'
  /**
   * The system's name for the message.
   */
  serverMsgId: string
  /**
   * When the server numbered the message.
   */
  ts: number
}
/**
 * The part of the text around what was found.
 */
export interface Excerpt {
  /**
   * It does not end where the text ends.
   */
  cutEnd?: boolean
  /**
   * It does not begin where the text begins.
   */
  cutStart?: boolean
  /**
   * Where in it is what was found, in order. None if no text was searched for.
   */
  marks?: Mark[]
  /**
   * The part.
   */
  text: string
}
/**
 * A stretch of an excerpt, in UTF-16 code units.
 */
export interface Mark {
  /**
   * How long it is.
   */
  length: number
  /**
   * Where it begins.
   */
  start: number
}
/**
 * `FOCUSED`: from here on these conversations' events are pushed.
 */
export interface Focused {
  /**
   * The conversations that were named, with what there is to pull. Empty after
   * looking away.
   */
  heads: Head[]
}
/**
 * `PRESENCE_STATE`: who is online, of those that were named.
 */
export interface PresenceState {
  /**
   * Each user that was named, by user id.
   */
  items: UserPresence[]
}
/**
 * Whether a user is online, as far as you may know.
 */
export interface UserPresence {
  /**
   * When one was last, if none is and it is known.
   */
  lastSeenTs?: number
  /**
   * Whether some device of the user is connected.
   */
  online: boolean
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  user: string
}
/**
 * `PRESENCE`: what has changed of those to whom this session has subscribed.
 */
export interface PresenceChange {
  /**
   * Each user of whom something has changed, as it is now, by user id.
   */
  items: UserPresence[]
}
/**
 * `TYPING`, as delivered.
 */
export interface TypingPush {
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  conversationId: string
  /**
   * For how long it holds if nothing more comes, in milliseconds; 0 when stopped.
   */
  expiresInMs: number
  /**
   * A 63-bit identifier: sent as a decimal string, accepted as a string or a number.
   */
  from: string
  /**
   * No longer.
   */
  stopped?: boolean
}
/**
 * `CALL_OFFER`, as delivered: it rings.
 */
export interface CallRing {
  /**
   * The call.
   */
  callId: string
  /**
   * Who calls.
   */
  from: string
  /**
   * What is to be sent.
   */
  media: 'audio' | 'video'
  /**
   * The call that goes on with this one, as the caller says.
   */
  resumes?: string
  /**
   * How much longer it rings, in milliseconds.
   */
  ringsForMs: number
  /**
   * The caller's session description.
   */
  sdp: string
}
/**
 * `CALL_STATE`: what has become of a call for this device.
 */
export interface CallState {
  /**
   * The call.
   */
  callId: string
  /**
   * Why it is over.
   */
  reason?:
    | 'hungUp'
    | 'cancelled'
    | 'rejected'
    | 'noAnswer'
    | 'disconnected'
    | 'answeredElsewhere'
    | 'serverStopped'
  /**
   * What it is.
   */
  state: 'ringing' | 'answered' | 'ended'
}
/**
 * `TURN_CREDENTIALS`. As it is, it is one of the `iceServers` of a browser's
 * `RTCPeerConnection`.
 */
export interface TurnCredentials {
  /**
   * The credential.
   */
  credential?: string
  /**
   * For how long it is good, in milliseconds.
   */
  ttlMs: number
  /**
   * The STUN and TURN servers; none if this system has none.
   */
  urls: string[]
  /**
   * The name by which the TURN servers know the credential; absent if there are none.
   */
  username?: string
}
/**
 * `NOTICE`: something that everybody is to know, from an admin of the system.
 */
export interface Notice {
  /**
   * Its name. The same notice may come more than once, and is shown once.
   */
  noticeId: string
  /**
   * What it says: plain text.
   */
  text: string
  /**
   * When it was said.
   */
  ts: number
  /**
   * From when on it holds no longer, if that is known.
   */
  untilTs?: number
}
/**
 * `NOTICE_WITHDRAWN`: a notice holds no longer.
 */
export interface NoticeWithdrawn {
  /**
   * Which.
   */
  noticeId: string
}
/**
 * `LIMITS`: from now on these hold, in the place of `limits.rates` of `AUTH_OK`.
 */
export interface LimitsChanged {
  rates: Rates1
}
/**
 * How fast the session may send now.
 */
export interface Rates1 {
  /**
   * Frames at once.
   */
  framesBurst: number
  /**
   * Frames a second on average. Each position of an `ACK` counts as one.
   */
  framesPerSecond: number
  /**
   * `SYNC`, `PULL`, `CONVERSATION` and `FOCUS` at once.
   */
  readsBurst: number
  /**
   * `SYNC`, `PULL`, `CONVERSATION` and `FOCUS` a second on average.
   */
  readsPerSecond: number
  /**
   * Messages and changes at once.
   */
  sendsBurst: number
  /**
   * Messages and changes a second on average.
   */
  sendsPerSecond: number
}
/**
 * `ERROR`.
 */
export interface Error {
  /**
   * The call it is about.
   */
  callId?: string
  /**
   * The message it is about.
   */
  clientMsgId?: string
  /**
   * Why, for people.
   */
  message: string
  /**
   * Present when the request may or may not have been carried out.
   */
  outcome?: 'unknown'
  /**
   * Why, for programs.
   */
  reason:
    | 'bad_json'
    | 'missing_type'
    | 'unknown_type'
    | 'invalid_field'
    | 'missing_to'
    | 'missing_body'
    | 'missing_msg_id'
    | 'missing_ack_type'
    | 'body_too_long'
    | 'cannot_send_to_self'
    | 'bad_sync_token'
    | 'weak_password'
    | 'bad_username'
    | 'missing_group_id'
    | 'bad_title'
    | 'search_too_broad'
    | 'wrong_file_kind'
    | 'upload_cut'
    | 'missing_token'
    | 'invalid_token'
    | 'token_expired'
    | 'unauthorized'
    | 'auth_timeout'
    | 'bad_credentials'
    | 'invalid_refresh_token'
    | 'login_revoked'
    | 'registration_closed'
    | 'forbidden_origin'
    | 'not_allowed'
    | 'too_late'
    | 'invalid_invite'
    | 'another_user'
    | 'not_reachable'
    | 'blocked_by_you'
    | 'not_friends'
    | 'muted'
    | 'quota_exceeded'
    | 'invalid_link'
    | 'account_disabled'
    | 'invalid_reset_code'
    | 'word_refused'
    | 'not_found'
    | 'conversation_not_found'
    | 'user_not_found'
    | 'message_not_found'
    | 'device_not_found'
    | 'application_not_found'
    | 'notice_not_found'
    | 'file_not_found'
    | 'call_not_found'
    | 'search_off'
    | 'method_not_allowed'
    | 'username_taken'
    | 'retry_too_old'
    | 'nothing_to_change'
    | 'group_full'
    | 'kicked'
    | 'limit_reached'
    | 'call_id_taken'
    | 'in_call'
    | 'busy'
    | 'glare'
    | 'call_elsewhere'
    | 'call_state'
    | 'too_many_uploads'
    | 'upload_offset_mismatch'
    | 'upload_unfinished'
    | 'last_admin'
    | 'tus_version'
    | 'frame_too_large'
    | 'file_too_large'
    | 'unsupported_media_type'
    | 'range_not_satisfiable'
    | 'upload_busy'
    | 'too_many_requests'
    | 'checksum_mismatch'
    | 'internal_error'
    | 'server_busy'
    | 'after_refused'
    | 'timeout'
    | 'storage_full'
  /**
   * When to try again, in milliseconds from now.
   */
  retryAfterMs?: number
}
/**
 * The JSON text in a close frame. At most 123 bytes, as RFC 6455 demands.
 */
export interface CloseReason {
  /**
   * A word for programs.
   */
  reason: string
  /**
   * The least time to wait before connecting again, in milliseconds.
   */
  retryAfterMs?: number
}
