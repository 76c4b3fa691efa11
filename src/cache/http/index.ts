/** The HTTP cache as others use it: sockets in, on which HTTP is spoken. */

export { HttpFront } from './front.ts';
export { HttpCache } from './http-cache.ts';
export { Origins } from './origin.ts';
export { type SiteRuleOptions, SiteRules } from './site-rules.ts';
export { HttpCacheTally } from './tally.ts';
