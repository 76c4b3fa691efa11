/** Small configurations, and what is wrong with them. */

import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/operate/config/index.ts';

const engine = 'engines: [{name: local, url: "unix:///run/d.sock"}]\n';

export function faultsOf(text: string, implemented?: { auth: string[]; policies: string[] }): string[] {
  const parsed = parseConfig(text, 'b.yaml', implemented);
  return 'faults' in parsed ? parsed.faults.map(String) : [];
}

/** Line 1 the engine, line 2 the list's key, line 3 the listener's name and socket, then the lines given. */
export function listener(url: string, ...lines: string[]): string {
  return `${engine}listeners:\n  - {name: people, url: "${url}"${lines.map((line) => `,\n     ${line}`).join('')}}\n`;
}

export const unix = (...lines: string[]): string => listener('unix:///run/b.sock', ...lines);
export const tcp = (...lines: string[]): string => listener('tcp://0.0.0.0:2376', ...lines);
export const whole = (...lines: string[]): string => `${unix()}${lines.join('\n')}\n`;

/** What is wrong, a file with it, and the faults without the file's name. */
export type Case = [what: string, text: string, ...faults: string[]];

export function testCases(cases: Readonly<Record<string, readonly Case[]>>): void {
  describe.each(Object.entries(cases))('faults of %s', (_area, listed) => {
    test.each(listed)('%s', (_what, text, ...faults) => {
      expect(faultsOf(text)).toEqual(faults.map((fault) => `b.yaml:${fault}`));
    });
  });
}
