export default {
  audio: '语音通话',
  video: '视频通话',
  missed_audio: '未接语音通话',
  missed_video: '未接视频通话',
  own_missed: '无人接听',
  own_cancelled: '已取消',
  own_rejected: '对方已拒绝',
  own_busy: '对方忙线',
  declinedByYou: '已拒绝',
  back: '回拨',
  again: '再次呼叫',
}
