export default {
  search: '搜索表情',
  recent: '最近使用',
  smileys: '笑脸',
  people: '人物',
  nature: '动物与自然',
  food: '食物与饮料',
  travel: '旅行与地点',
  activities: '活动',
  objects: '物品',
  symbols: '符号',
  flags: '旗帜',
}
