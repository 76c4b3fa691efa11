/** What the rest of Berthgate uses of the signals. */

export { Audit } from './audit.ts';
export { type CacheAccount, cacheAccountEntry } from './cache-account-entry.ts';
export { DecisionRecorder, recordedBy } from './decision-recorder.ts';
export { type Log, type LogOptions, type OpenLog, openLog } from './log.ts';
export { describedMetrics, type EngineFacts, makeRegistry } from './metrics.ts';
export { CallRecorder } from './recorder.ts';
export { renderMetricsReference } from './reference.ts';
