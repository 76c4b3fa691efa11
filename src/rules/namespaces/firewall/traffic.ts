/** Whose packets come from where: the bridges of an engine with their namespaces, and who has published which port. */

import { isIP, isIPv4 } from 'node:net';

/** A link of the host that containers' packets come out of. */
export interface Bridge {
  readonly link: string;
  /** Null for a network of the engine itself. */
  readonly namespace: string | null;
  /** Whether the table holds for what comes from it. */
  readonly held: boolean;
  /** Not held, and yet apart from what namespaces publish: steps of anybody's builds run there. */
  readonly apart: boolean;
}

export interface OwnPort {
  readonly namespace: string;
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}

/** A bridge with a container on it that speaks for a namespace which is not the bridge's: the job that its socket leads to. */
export interface Speaker {
  readonly link: string;
  readonly namespace: string;
}

/** Of one engine. */
export interface Traffic {
  readonly bridges: readonly Bridge[];
  readonly speakers: readonly Speaker[];
  readonly ports: readonly OwnPort[];
}

/**
 * The sets of the table, with the types of their columns:
 * - `held`: bridges that the table holds for; `bridges`: all that are known, which those must not reach
 * - `together`: from which bridge to which other one packets may pass, as far as the engine lets them
 * - `own4`, `own6`: from which bridge which published port may be reached; `any4`, `any6`: at every address of the host
 * - `apart4`, `apart6`, `apartAny4`, `apartAny6`: from which bridge that is not held which published port is not reached
 */
export const sets = {
  held: ['ifname'],
  bridges: ['ifname'],
  together: ['ifname', 'ifname'],
  own4: ['ifname', 'ipv4_addr', 'inet_proto', 'inet_service'],
  own6: ['ifname', 'ipv6_addr', 'inet_proto', 'inet_service'],
  any4: ['ifname', 'inet_proto', 'inet_service'],
  any6: ['ifname', 'inet_proto', 'inet_service'],
  apart4: ['ifname', 'ipv4_addr', 'inet_proto', 'inet_service'],
  apart6: ['ifname', 'ipv6_addr', 'inet_proto', 'inet_service'],
  apartAny4: ['ifname', 'inet_proto', 'inet_service'],
  apartAny6: ['ifname', 'inet_proto', 'inet_service'],
} as const;

export type SetName = keyof typeof sets;

export const setNames = Object.keys(sets) as SetName[];

/** Of each set its elements, the columns joined by ` . ` as nft does. */
export type Elements = Readonly<Record<SetName, ReadonlySet<string>>>;

const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp'];
const LINK = /^[A-Za-z0-9_.@-]{1,15}$/;
const EVERYWHERE: Readonly<Record<string, readonly Family[]>> = { '': [4, 6], '0.0.0.0': [4], '::': [6] };

type Family = 4 | 6;
/** Sets that speak of a port from a link: at one address, and at every address of the host. */
type Reach = readonly [at: 'own' | 'apart', everywhere: 'any' | 'apartAny'];

const OWN: Reach = ['own', 'any'];
const APART: Reach = ['apart', 'apartAny'];

/** Whether a name of a link can stand in the table: nft reads some characters itself, such as a `*` at the end. */
export function isLinkName(text: string): boolean {
  return LINK.test(text);
}

export function noElements(): Record<SetName, Set<string>> {
  return Object.fromEntries(setNames.map((name) => [name, new Set<string>()])) as Record<SetName, Set<string>>;
}

/** What the engines of a host have, each with namespaces of its own. */
export function elementsOf(engines: readonly Traffic[]): Elements {
  const elements = noElements();
  for (const traffic of engines) {
    addTo(elements, traffic);
    for (const other of engines) addApart(elements, traffic, other);
  }
  return elements;
}

function addTo(elements: Record<SetName, Set<string>>, { bridges, speakers, ports }: Traffic): void {
  const linksOf = new Map<string, string[]>();
  for (const { link, namespace, held } of bridges) {
    if (!isLinkName(link)) continue;
    elements.bridges.add(link);
    if (!held) continue;
    elements.held.add(link);
    elements.together.add(`${link} . ${link}`);
    if (namespace === null) continue;
    const links = linksOf.get(namespace) ?? [];
    for (const other of links) {
      elements.together.add(`${link} . ${other}`);
      elements.together.add(`${other} . ${link}`);
    }
    links.push(link);
    linksOf.set(namespace, links);
  }
  // What a job publishes, it looks for from its own container, which is on a network of its parent. What is on one that
  // several namespaces share is not the job's alone.
  const owned = new Set([...linksOf.values()].flat());
  for (const { link, namespace } of speakers) {
    if (owned.has(link)) linksOf.set(namespace, [...(linksOf.get(namespace) ?? []), link]);
  }
  for (const port of ports) {
    for (const link of linksOf.get(port.namespace) ?? []) addPort(elements, OWN, link, port);
  }
}

/** What the namespaces of `other` publish is out of reach of what is nobody's, but where they have a container themselves. */
function addApart(elements: Record<SetName, Set<string>>, { bridges, speakers }: Traffic, other: Traffic): void {
  for (const { link, apart } of bridges) {
    if (!apart || !isLinkName(link)) continue;
    const here = speakers.filter((speaker) => speaker.link === link && speakers === other.speakers);
    const present = new Set(here.map(({ namespace }) => namespace));
    for (const port of other.ports) if (!present.has(port.namespace)) addPort(elements, APART, link, port);
  }
}

function addPort(
  elements: Record<SetName, Set<string>>,
  [at, everywhere]: Reach,
  link: string,
  { address, protocol, port }: OwnPort,
): void {
  if (!PROTOCOLS.includes(protocol)) return;
  const families = EVERYWHERE[address];
  for (const family of families ?? []) elements[`${everywhere}${family}`].add(`${link} . ${protocol} . ${port}`);
  // The host's loopback is no way for what comes from a bridge.
  if (families !== undefined || isIP(address) === 0 || isLoopback(address)) return;
  const family = isIPv4(address) ? 4 : 6;
  elements[`${at}${family}`].add(`${link} . ${canonical(address)} . ${protocol} . ${port}`);
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || canonical(address) === '::1';
}

/** An address as nft writes it. */
export function canonical(address: string): string {
  return isIPv4(address) ? address : new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

/** The bridge that an element speaks of first. */
export function linkOf(element: string): string {
  return element.split(' . ', 1)[0] as string;
}
