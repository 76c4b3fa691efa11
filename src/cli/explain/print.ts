/** An explanation, for people. */

import type { Explanation, RehearsedDisk, Sent } from '../../exchange/explain-call.ts';
import type { Decision } from '../../exchange/judge.ts';
import { type Json, printJson } from '../../ground/json.ts';
import type { Refusal } from '../../ground/refusal.ts';

const LONGEST_VALUE = 100;

export function printExplanation(explanation: Explanation): string {
  const { endpoint, meanings, unknown, dropped, disk, namespace, decisions, ordered, sent, refusal } = explanation;
  const versions = endpoint.until === undefined ? `since ${endpoint.since}` : `${endpoint.since} to ${endpoint.until}`;
  const lines = [
    `${endpoint.id}  ${endpoint.method} ${endpoint.path}`,
    `  ${endpoint.summary}`,
    `  risk: ${endpoint.risk}; API ${versions}; request travels as ${endpoint.body.travel}, answer as ${endpoint.answer.travel}`,
  ];
  if (meanings.length > 0) lines.push('', 'what it says:');
  for (const { place, value, means } of meanings) lines.push(`  ${place} = ${short(value)}: ${means.join('; ')}`);
  if (unknown.length > 0) lines.push('', 'what the table does not know:');
  for (const { place, value } of unknown) lines.push(`  ${place} = ${short(value)}`);
  if (dropped.length > 0) lines.push('', `query keys that are not sent: ${dropped.join(', ')}`);
  if (disk !== null) lines.push('', printDisk(disk));
  for (const decision of decisions) lines.push('', ...printDecision(decision));
  if (refusal !== null) lines.push('', ...printRefusal(refusal));
  if (namespace !== null) lines.push('', `namespace ${namespace}`);
  for (const one of ordered) lines.push('', 'Berthgate itself has the engine do:', ...printSent(one));
  if (sent !== null) lines.push('', 'the engine gets:', ...printSent(sent));
  return `${lines.join('\n')}\n`;
}

function printDisk({ high, used }: RehearsedDisk): string {
  const now = used === null ? 'how full it is cannot be seen from here' : `${used} % of it are used now`;
  return `while more than ${high} % of the engine's disk are used, it is refused (507 disk-full); ${now}`;
}

function printSent({ line, headers, body }: Sent): readonly string[] {
  const lines = [`  ${line}`, ...headers.map((header) => `  ${header}`)];
  return body === null ? lines : [...lines, '', `  ${printJson(body)}`];
}

export function printRefusal(refusal: Refusal): readonly string[] {
  const by = refusal.policy === undefined ? '' : ` by policy ${refusal.policy}, rule ${refusal.rule}`;
  const place = refusal.place === undefined ? '' : `${refusal.place} `;
  const lines = [`refused${by}: ${refusal.status} ${refusal.code}: ${place}${refusal.message}`];
  if (refusal.hint !== undefined) lines.push(`  remedy: ${refusal.hint}`);
  return lines;
}

function printDecision({ policy, rule, changes, wouldRefuse }: Decision): readonly string[] {
  const lines = [`policy ${policy}: passes by rule ${rule}`];
  if (wouldRefuse !== null) lines.push(`  would refuse, were it enforced: ${wouldRefuse}`);
  for (const { place, from, to, rule } of changes) {
    lines.push(`  changes ${place} from ${short(from)} to ${short(to)} (${rule})`);
  }
  return lines;
}

function short(value: Json): string {
  const printed = printJson(value);
  return printed.length <= LONGEST_VALUE ? printed : `${printed.slice(0, LONGEST_VALUE)}…`;
}
