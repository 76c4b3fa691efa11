/** The insides of the engine's own process: its memory, its goroutines, its command line. */

import type { Endpoint } from '../endpoint.ts';
import { endpoint } from '../endpoint.ts';
import { own } from '../marks.ts';
import { text } from '../shape.ts';

const pages = {
  DebugVars: ['/debug/vars', 'Counters of the process'],
  DebugPprofIndex: ['/debug/pprof/', 'List the profiles'],
  DebugPprofCmdline: ['/debug/pprof/cmdline', 'The command line of the process'],
  DebugPprofProfile: ['/debug/pprof/profile', 'Where the process spends its time'],
  DebugPprofSymbol: ['/debug/pprof/symbol', 'Names for addresses'],
  DebugPprofTrace: ['/debug/pprof/trace', 'Trace the process'],
  DebugPprofNamed: ['/debug/pprof/{name}', 'One profile'],
} as const;

export const debugEndpoints: readonly Endpoint[] = Object.entries(pages).map(([id, [path, summary]]) =>
  endpoint({
    id,
    summary,
    method: 'GET',
    path,
    risk: 'never',
    undocumented: 'daemon/server/router/debug/debug.go',
    parameters: path.includes('{name}') ? { name: text(own) } : {},
    answer: { travel: 'text' },
  }),
);
