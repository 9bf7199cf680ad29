/** Which numbers of the server are shown together. Names as the server has them. */
import type { Unit } from './units'

export interface PlotSpec {
  key: string
  unit: Unit
  series: string[]
}

export const PLOTS: PlotSpec[] = [
  { key: 'connections', unit: 'count', series: ['connections', 'sessions', 'usersOnline'] },
  { key: 'messages', unit: 'perSecond', series: ['commandsPerSecond', 'pushesPerSecond', 'acksPerSecond', 'refusalsPerSecond'] },
  { key: 'latencies', unit: 'ms', series: ['ackMsP50', 'ackMsP99', 'syncMsP99', 'readMsP99', 'httpMsP99'] },
  { key: 'queues', unit: 'count', series: ['commandsQueued', 'batchesQueued', 'fanoutWaiting', 'admissionWaiting'] },
  { key: 'frames', unit: 'perSecond', series: ['framesReceivedPerSecond', 'framesSentPerSecond'] },
  { key: 'requests', unit: 'perSecond', series: ['httpRequestsPerSecond', 'commitsPerSecond'] },
  { key: 'traffic', unit: 'bytesPerSecond', series: ['bytesReceivedPerSecond', 'bytesSentPerSecond'] },
  { key: 'waitingBytes', unit: 'bytes', series: ['outboxBytes', 'walBytes'] },
  { key: 'processor', unit: 'cores', series: ['cpuCores'] },
  { key: 'memory', unit: 'bytes', series: ['residentBytes'] },
  { key: 'descriptors', unit: 'count', series: ['openDescriptors'] },
]

export const SERIES = PLOTS.flatMap(({ series }) => series)

/** Quantiles of a time in which nothing came are told as 0. */
export const isLatency = (name: string) => /MsP\d+$/.test(name)
