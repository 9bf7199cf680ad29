export default {
  main: '主导航',
  chats: '聊天',
  contacts: '通讯录',
  settings: '设置',
  admin: '系统管理',
  skip: '跳到内容',
  notFound: '这里什么也没有',
  notFoundText: '该地址不存在,或已失效。',
  toChats: '返回聊天',
}
