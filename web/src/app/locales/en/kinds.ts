export default {
  IMAGE: '[Photo]',
  VIDEO: '[Video]',
  AUDIO: '[Voice message]',
  FILE: '[File]',
  LOCATION: '[Place]',
  CUSTOM: '[Message]',
  FORWARD: '[Forwarded]',
}
