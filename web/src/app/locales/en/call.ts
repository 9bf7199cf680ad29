export default {
  audio: 'Voice call',
  video: 'Video call',
  missed_audio: 'Missed voice call',
  missed_video: 'Missed video call',
  own_missed: 'No answer',
  own_cancelled: 'Cancelled',
  own_rejected: 'Declined',
  own_busy: 'Busy',
  declinedByYou: 'You declined',
  back: 'Call back',
  again: 'Call again',
}
