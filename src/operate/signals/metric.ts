/** What a metric is made of. */

import type { MetricValue } from 'prom-client';

type Labels = Record<string, string | number>;
export type Value = MetricValue<string> & { metricName?: string };

export interface Described {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

export interface Metric<Sources> extends Described {
  readonly values: (sources: Sources) => Iterable<Value>;
}

export const value = (labels: Labels, value: number, metricName?: string): Value =>
  metricName === undefined ? { labels, value } : { labels, value, metricName };
