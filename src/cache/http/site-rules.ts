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

export interface SiteRuleOptions {
  /** Whether a host is meant. */
  readonly host: (host: string) => boolean;
  readonly path: string;
  readonly minFreshMs?: number | undefined;
  readonly maxFreshMs?: number | undefined;
  readonly staleIfErrorMs?: number | undefined;
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
  private readonly rules: readonly { readonly host: (host: string) => boolean; readonly path: Glob; rule: SiteRule }[];

  constructor(options: readonly SiteRuleOptions[]) {
    this.rules = options.map((one) => ({
      host: one.host,
      path: compileGlob(one.path, { separator: '/' }),
      rule: {
        minFreshSeconds: seconds(one.minFreshMs),
        maxFreshSeconds: seconds(one.maxFreshMs),
        staleIfErrorSeconds: seconds(one.staleIfErrorMs) ?? DAY_SECONDS,
        forward: one.forward?.includes('*') ? null : new Set(one.forward?.map((name) => name.toLowerCase())),
      },
    }));
  }

  for({ hostname, pathname }: URL): SiteRule {
    return this.rules.find(({ host, path }) => host(hostname) && path(pathname))?.rule ?? noRule;
  }
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1000);
}
