export default {
  main: 'Main',
  chats: 'Chats',
  contacts: 'Contacts',
  settings: 'Settings',
  admin: 'Administration',
  skip: 'Skip to content',
  notFound: 'There is nothing here',
  notFoundText: 'The address leads nowhere, or no longer.',
  toChats: 'To the chats',
}
