/** The page of everything that `conservative` refuses, with every spelling that is tried: made from the table. */

import { type Danger, dangersOf } from '../../../docker/dangers.ts';
import type { Endpoint } from '../../../docker/endpoint.ts';
import { describeMark } from '../../../docker/marks.ts';
import { table } from '../../../docker/table.ts';
import { printJson } from '../../../ground/json.ts';
import { decisionOn, isServed } from './decisions.ts';

export function renderRefused(): string {
  const refusedWhole = table.filter((endpoint) => endpoint.risk !== 'never' && !isJudged(endpoint));
  const never = table.filter(({ risk }) => risk === 'never');
  const sections = table.filter(isJudged).flatMap((endpoint) => sectionOf(endpoint));
  return `# What \`conservative\` refuses

Made from the table of the API. Each value below is refused at its place, and so is every other that is not neutral
there; what the table does not know is refused too. A test tries every spelling of this page.

Refused as a whole: ${idsOf(refusedWhole)}.

Never served, whatever the policies: ${idsOf(never)}.

Restarting for ever is bounded instead of refused. What stands in \`HostConfig\` is refused in the same way beside it, where old engines look for it.

${sections.join('\n')}`;
}

function isJudged({ risk, marks = [] }: Endpoint): boolean {
  return isServed(risk) && marks.every((mark) => decisionOn(mark).asked === 'pass');
}

function idsOf(endpoints: readonly Endpoint[]): string {
  return endpoints.map(({ id }) => `\`${id}\``).join(', ');
}

function sectionOf(endpoint: Endpoint): readonly string[] {
  const byPlace = new Map<string, Danger[]>();
  for (const danger of dangersOf(endpoint)) {
    byPlace.set(danger.place, [...(byPlace.get(danger.place) ?? []), danger]);
  }
  const rows = [...byPlace]
    .filter(([place, dangers]) => !standsInHostConfig(place, byPlace) && !dangers.every(isBounded))
    .map(rowOf);
  if (rows.length === 0) return [];
  return [`## ${endpoint.id}\n\n| place | what it reaches | refused |\n|---|---|---|\n${rows.join('\n')}\n`];
}

function standsInHostConfig(place: string, all: ReadonlyMap<string, unknown>): boolean {
  return all.has(place.replace(/^body\./, 'body.HostConfig.')) && !place.startsWith('body.HostConfig.');
}

/** Made harmless instead. */
function isBounded({ marks }: Danger): boolean {
  return marks.every((mark) => mark.mark === 'privilege' && mark.reach === 'lifetime');
}

function rowOf([place, dangers]: readonly [string, readonly Danger[]]): string {
  const marks = dangers[0]?.marks.filter((mark) => decisionOn(mark).asked !== 'pass') ?? [];
  const reaches = [...new Set(marks.map(describeMark))].join('; ');
  const said = dangers.map((danger) => code(printJson(danger.said))).join(', ');
  return `| ${code(place.replace(/^body\./, ''))} | ${inCell(reaches)} | ${said} |`;
}

function code(text: string): string {
  return `\`${inCell(text)}\``;
}

function inCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
