/** The page of docs/reference about the metrics. */

import { describedMetrics } from './metrics.ts';

export function renderMetricsReference(): string {
  const rows = describedMetrics.map(({ name, type, labels, help }) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')} |`;
  });
  return `# Metrics

Served as \`/metrics\` where \`admin.metrics\` says, in the text format of Prometheus.

| name | type | labels | what it says |
|---|---|---|---|
${rows.join('\n')}
`;
}
