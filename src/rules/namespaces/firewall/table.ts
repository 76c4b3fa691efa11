/**
 * The table in nft's own language. It only ever drops: what it lets pass goes on to the engine's rules and the host's.
 * A packet meets it before the address translation of any engine, so at the address that the container said.
 */

import { isIPv4 } from 'node:net';
import {
  canonical,
  type Elements,
  elementsOf,
  noElements,
  type SetName,
  setNames,
  sets,
  type Traffic,
} from './traffic.ts';

export const TABLE = 'inet berthgate';

/** What containers of every namespace may reach or not, beside what is their own. */
export interface Openings {
  /** Networks that no namespace reaches: `169.254.0.0/16`. */
  readonly refuse: readonly string[];
  /** At an address of the host, or a refused one. */
  readonly open: readonly { readonly address: string; readonly port: number }[];
}

/** ICMPv6 by which neighbours find each other: without it no packet of IPv6 passes at all. */
const NEIGHBOURS =
  'icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }';

/** Makes the table, or makes the one that is there like this, in one step; elements of sets stay. */
export function tableScript({ refuse, open }: Openings): string {
  const chain = (name: string, hook = ''): string[] => [
    `add chain ${TABLE} ${name}${hook}`,
    `flush chain ${TABLE} ${name}`,
  ];
  const rule = (name: string, text: string): string => `add rule ${TABLE} ${name} ${text}`;
  const of = (family: 4 | 6, texts: readonly string[]): readonly string[] =>
    texts.filter((text) => isIPv4(text.split('/', 1)[0] as string) === (family === 4));
  const refused = ([4, 6] as const).flatMap((family) => {
    const found = of(family, refuse);
    return found.length === 0 ? [] : [rule('leaving', `${ip(family)} daddr { ${found.join(', ')} } counter drop`)];
  });
  const opened = open.flatMap(({ address, port }) =>
    (['leaving', 'arriving'] as const).map((name) =>
      rule(
        name,
        `${ip(isIPv4(address) ? 4 : 6)} daddr ${canonical(address)} meta l4proto { tcp, udp } th dport ${port} accept`,
      ),
    ),
  );
  return `${[
    `add table ${TABLE}`,
    ...setNames.map((name) => `add set ${TABLE} ${name} { type ${sets[name].join(' . ')}; }`),
    ...chain('before-translation', ' { type filter hook prerouting priority mangle; policy accept; }'),
    ...chain('at-the-host', ' { type filter hook input priority filter - 10; policy accept; }'),
    ...chain('between-bridges', ' { type filter hook forward priority filter - 10; policy accept; }'),
    ...chain('leaving'),
    ...chain('arriving'),
    rule('before-translation', 'iifname @held goto leaving'),
    rule(
      'before-translation',
      'ct direction original iifname . ip daddr . meta l4proto . th dport @apart4 counter drop',
    ),
    rule(
      'before-translation',
      'ct direction original iifname . ip6 daddr . meta l4proto . th dport @apart6 counter drop',
    ),
    ...([4, 6] as const).map((family) => {
      const port = `ct direction original meta nfproto ipv${family} iifname . meta l4proto . th dport @apartAny${family}`;
      return rule('before-translation', `${port} fib daddr type local counter drop`);
    }),
    rule('at-the-host', 'iifname @held goto arriving'),
    rule('between-bridges', 'iifname @held oifname @bridges iifname . oifname != @together counter drop'),
    ...opened,
    ...refused,
    rule('leaving', 'fib daddr type local goto arriving'),
    rule('arriving', 'ct state established,related accept'),
    rule('arriving', `${NEIGHBOURS} accept`),
    // A bridge's own gateway may be asked whether it is there, no other address of the host.
    rule('arriving', 'icmp type echo-request fib daddr . iif type local accept'),
    rule('arriving', 'icmpv6 type echo-request fib daddr . iif type local accept'),
    rule('arriving', 'iifname . ip daddr . meta l4proto . th dport @own4 accept'),
    rule('arriving', 'iifname . ip6 daddr . meta l4proto . th dport @own6 accept'),
    rule('arriving', 'meta nfproto ipv4 iifname . meta l4proto . th dport @any4 accept'),
    rule('arriving', 'meta nfproto ipv6 iifname . meta l4proto . th dport @any6 accept'),
    rule('arriving', 'counter drop'),
  ].join('\n')}\n`;
}

/** From the elements that are there to those that are to be; also right where somebody else has done it already. */
export function changeScript(there: Elements, wanted: Elements): string {
  const lines: string[] = [];
  for (const name of setNames) {
    const gone = [...there[name]].filter((one) => !wanted[name].has(one));
    const come = [...wanted[name]].filter((one) => !there[name].has(one));
    const say = (verb: string, elements: readonly string[]): void => {
      if (elements.length > 0)
        lines.push(`${verb} element ${TABLE} ${name} { ${elements.map((one) => quoted(name, one)).join(', ')} }`);
    };
    // What is not there cannot be deleted; added first, it is.
    say('add', gone);
    say('delete', gone);
    say('add', come);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** All of it, for a host that has none yet. */
export function firewallScript(openings: Openings, engines: readonly Traffic[]): string {
  return `${tableScript(openings)}${changeScript(noElements(), elementsOf(engines))}`;
}

export function removeScript(): string {
  return `add table ${TABLE}\ndelete table ${TABLE}\n`;
}

/** What the kernel has of the table, from `nft --json --stateless list table`. */
export interface Listed {
  readonly elements: Elements;
  /** Chains and rules, to compare with what they were. */
  readonly rules: string;
}

/** @throws Error for what is no such list */
export function readList(text: string): Listed {
  const elements = noElements();
  const rules: unknown[] = [];
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly Readonly<Record<string, Entry>>[] };
  for (const one of nftables) {
    const set = one.set;
    if (set !== undefined && set.name in sets) {
      for (const element of set.elem ?? []) elements[set.name as SetName].add(spelled(element));
    }
    const { handle: _, ...rest } = (one.chain ?? one.rule ?? { handle: null }) as Entry;
    if (Object.keys(rest).length > 0) rules.push(rest);
  }
  return { elements, rules: JSON.stringify(rules) };
}

interface Entry {
  readonly name: string;
  readonly handle?: unknown;
  readonly elem?: readonly (string | { readonly concat: readonly (string | number)[] })[];
}

function spelled(element: string | { readonly concat: readonly (string | number)[] }): string {
  return typeof element === 'string' ? element : element.concat.join(' . ');
}

function quoted(name: SetName, element: string): string {
  const words = element.split(' . ');
  return words.map((word, column) => (sets[name][column] === 'ifname' ? `"${word}"` : word)).join(' . ');
}

function ip(family: 4 | 6): string {
  return family === 4 ? 'ip' : 'ip6';
}
