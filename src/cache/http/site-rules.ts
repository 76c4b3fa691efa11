/** What the administrator says of hosts and paths: `cache.rules`. The first that fits counts. */

import { compileGlob, type Glob } from '../../ground/glob.ts';

export interface SiteRule {
  readonly minFreshSeconds: number | null;
  readonly maxFreshSeconds: number | null;
  /** How long a stale answer stands in where the origin fails and says nothing of it. */
  readonly staleIfErrorSeconds: number;
  /** Names of request fields that reach the origin although nothing is kept apart by them; null for all. */
  readonly forward: ReadonlySet<string> | null;
}

/** As the configuration says it; durations in milliseconds. */
export interface SiteRuleOptions {
  /** Lower case; `*.NAME` for all below it. */
  readonly host: string;
  readonly path: string;
  readonly minFresh?: number | undefined;
  readonly maxFresh?: number | undefined;
  readonly staleIfError?: number | undefined;
  readonly forward?: readonly string[] | undefined;
}

const DAY_SECONDS = 24 * 3600;

export const noRule: SiteRule = {
  minFreshSeconds: null,
  maxFreshSeconds: null,
  staleIfErrorSeconds: DAY_SECONDS,
  forward: new Set(),
};

export class SiteRules {
  private readonly rules: readonly { readonly host: string; readonly path: Glob; readonly rule: SiteRule }[];

  constructor(options: readonly SiteRuleOptions[]) {
    this.rules = options.map((one) => ({
      host: one.host,
      path: compileGlob(one.path, { separator: '/' }),
      rule: {
        minFreshSeconds: seconds(one.minFresh),
        maxFreshSeconds: seconds(one.maxFresh),
        staleIfErrorSeconds: seconds(one.staleIfError) ?? DAY_SECONDS,
        forward: one.forward?.includes('*') ? null : new Set(one.forward?.map((name) => name.toLowerCase())),
      },
    }));
  }

  for({ hostname, pathname }: URL): SiteRule {
    return this.rules.find(({ host, path }) => meansHost(host, hostname) && path(pathname))?.rule ?? noRule;
  }
}

/** @param pattern lower case; `*.NAME` for all below it */
export function meansHost(pattern: string, hostname: string): boolean {
  const host = hostname.toLowerCase();
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host.length >= pattern.length : host === pattern;
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1000);
}
