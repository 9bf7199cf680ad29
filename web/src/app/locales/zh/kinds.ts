export default {
  IMAGE: '[图片]',
  VIDEO: '[视频]',
  AUDIO: '[语音]',
  FILE: '[文件]',
  LOCATION: '[位置]',
  CUSTOM: '[消息]',
  FORWARD: '[转发]',
}
