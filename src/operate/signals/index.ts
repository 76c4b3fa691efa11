/** What the rest of Berthgate uses of the signals. */

export { type Log, type LogLevel, type LogOptions, type OpenLog, openLog } from './log.ts';
export { type Described, describedMetrics, type EngineFacts, type MetricSources, makeRegistry } from './metrics.ts';
export { CallRecorder } from './recorder.ts';
export { renderMetricsReference } from './reference.ts';
