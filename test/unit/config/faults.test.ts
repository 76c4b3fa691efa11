import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigFault, parseConfig } from '../../../src/operate/config/index.ts';
import { faultsOf, testCases, unix, whole } from './fault-cases.ts';

testCases({
  'the file as a whole': [
    ['an empty file', '', '1:1: must be a map, not nothing (null)'],
    ['a list', '- a\n', '1:1: must be a map, not a list'],
    ['no engines and no listeners', 'state: /x\n', '1:1: engines: is missing', '1:1: listeners: is missing'],
    [
      'an empty list',
      'engines: []\nlisteners:\n',
      '1:10: engines: must have at least one entry',
      '2:1: listeners: must be a list, not nothing (null)',
    ],
  ],
  keys: [
    [
      'an unknown key',
      unix('policys: []'),
      '4:6: listeners[0].policys: unknown key `policys`, did you mean `policies`?',
    ],
    ['an unknown key that resembles none', unix('zzzzzz: []'), '4:6: listeners[0].zzzzzz: unknown key `zzzzzz`'],
    ['an unknown key in another case', whole('Gc: {}'), '4:1: Gc: unknown key `Gc`, did you mean `gc`?'],
    [
      'an unknown key deep inside',
      unix('requests: {headTimout: 5s}'),
      '4:17: listeners[0].requests.headTimout: unknown key `headTimout`, did you mean `headTimeout`?',
    ],
    [
      'an unknown key behind a word or map',
      whole('cache: {hosts: [{host: a.org, tsl: pass}]}'),
      '4:31: cache.hosts[0].tsl: unknown key `tsl`, did you mean `tls`?',
    ],
    [
      'a key that every object of JavaScript has',
      whole('gc: {constructor: {}}'),
      '4:6: gc.constructor: unknown key `constructor`',
    ],
    ['a key of a merge', whole('shutdown: {"<<": {grace: 1s}}'), '4:12: shutdown["<<"]: unknown key `<<`'],
    [
      'a missing key',
      unix('trust: {}', 'tls: {cert: a, key: b, clientCa: c}').replace('unix:///run/b.sock', 'fd://x'),
      '4:13: listeners[0].trust.clients: is missing',
    ],
  ],
  'values of the wrong kind': [
    [
      'text for a number',
      unix('requests: {headers: many}'),
      '4:26: listeners[0].requests.headers: must be a whole number from 8 to 10000, not "many"',
    ],
    [
      'a fraction',
      unix('requests: {headers: 9.5}'),
      '4:26: listeners[0].requests.headers: must be a whole number from 8 to 10000, not 9.5',
    ],
    [
      'too large a number',
      unix('requests: {depth: 9999}'),
      '4:24: listeners[0].requests.depth: must be a whole number from 8 to 512, not 9999',
    ],
    ['a word for a boolean', unix('cache: yes'), '4:13: listeners[0].cache: must be true or false, not "yes"'],
    [
      'a name where packets are compared',
      whole('firewall: {open: ["cache.example.org:80"]}'),
      '4:19: firewall.open[0]: "cache.example.org" is a name: write the address',
    ],
    [
      'a firewall that is neither',
      whole('firewall: {apply: maybe}'),
      '4:19: firewall.apply: must be true, false or auto, not "maybe"',
    ],
    ['a list for a map', whole('gc: [1]'), '4:5: gc: must be a map, not a list'],
    [
      'a word for a list',
      unix('policies: conservative'),
      '4:16: listeners[0].policies: must be a list, not "conservative"',
    ],
    [
      'a word that is none of the few',
      whole('log: {level: infos}'),
      '4:14: log.level: must be trace, debug, info, warn or error, not "infos", did you mean `info`?',
    ],
    [
      'a long text',
      whole(`log: {level: ${'x'.repeat(100)}}`),
      `4:14: log.level: must be trace, debug, info, warn or error, not "${'x'.repeat(60)}…"`,
    ],
  ],
  quantities: [
    [
      'a duration without a unit',
      whole('shutdown: {grace: 30}'),
      '4:19: shutdown.grace: must be a duration such as 30s, 1h30m or 250ms, not 30',
    ],
    [
      'a duration that is none',
      whole('shutdown: {grace: 30 s}'),
      '4:19: shutdown.grace: must be a duration such as 30s, 1h30m or 250ms, not "30 s"',
    ],
    [
      'a duration longer than a timer can wait',
      whole('shutdown: {grace: 30d}'),
      '4:19: shutdown.grace: must be at most 24d',
    ],
    [
      'no time for a deadline',
      unix('requests: {headTimeout: 0s}'),
      '4:30: listeners[0].requests.headTimeout: must be at least 1ms',
    ],
    [
      'a size in unknown units',
      unix('requests: {json: 8M}'),
      '4:23: listeners[0].requests.json: must be a size such as 64KiB, 50GiB or 4096, not "8M"',
    ],
    [
      'a negative size',
      unix('requests: {json: -1}'),
      '4:23: listeners[0].requests.json: must be a size such as 64KiB, 50GiB or 4096, not -1',
    ],
    ['too small a size', unix('requests: {head: 10}'), '4:23: listeners[0].requests.head: must be at least 1KiB'],
    ['too large a size', unix('requests: {head: 1GiB}'), '4:23: listeners[0].requests.head: must be at most 1MiB'],
    [
      'a percentage without its sign',
      whole('gc: {high: 85}'),
      '4:12: gc.high: must be a percentage such as 85%, not 85',
    ],
    [
      'a percentage above all',
      whole('gc: {high: 101%}'),
      '4:12: gc.high: must be a percentage such as 85%, not "101%"',
    ],
    [
      'a mode without quotes',
      unix('mode: 0666'),
      '4:12: listeners[0].mode: must be an octal mode in quotes, such as "0660", not 666',
    ],
    [
      'a mode with more than permissions',
      unix('mode: "4755"'),
      '4:12: listeners[0].mode: must be an octal mode in quotes, such as "0660", not "4755"',
    ],
    [
      'a range that runs backwards',
      unix('ports: {range: 9-8}'),
      '4:21: listeners[0].ports.range: the first port must not be above the last one',
    ],
    [
      'a range with a port that is none',
      unix('ports: {range: 0-70000}'),
      '4:21: listeners[0].ports.range: ports go from 1 to 65535',
    ],
  ],
});

describe('the faults of a file', () => {
  test('are all told, of every kind, in the order of the file', () => {
    const text = `engines: [{name: local}, {name: local, url: "unix:///x"}]
listeners:
  - name: people
    url: unix:///run/b.sock
    url: unix:///run/c.sock
    policys: []
    engine: other
    requests: {json: huge, depth: 0}
gc: {high: 10%, low: 20%}
shutdown:
`;
    expect(faultsOf(text).map((fault) => fault.split(': ').slice(0, 2).join(' '))).toEqual([
      'b.yaml:1:11 engines[0].url',
      'b.yaml:1:33 engines[1].name',
      'b.yaml:5:5 listeners[0].url',
      'b.yaml:6:5 listeners[0].policys',
      'b.yaml:7:13 listeners[0].engine',
      'b.yaml:8:22 listeners[0].requests.json',
      'b.yaml:8:35 listeners[0].requests.depth',
      'b.yaml:9:22 gc.low',
      'b.yaml:10:1 shutdown',
    ]);
  });

  test('carry file, line, column, place and message apart', () => {
    const parsed = parseConfig(whole('gc: {high: 85}'), 'b.yaml');
    const [fault] = 'faults' in parsed ? parsed.faults : [];
    expect(fault).toBeInstanceOf(ConfigFault);
    expect(fault).toMatchObject({ file: 'b.yaml', line: 4, column: 12, place: 'gc.high' });
    expect(fault?.message).toMatch(/^must be a percentage/);
  });

  test('do not include a policy that the program brings along', () => {
    expect(faultsOf(unix('policies: [read-only]'), { auth: [], policies: ['read-only'] })).toEqual([]);
  });

  test('can be found by a plugin, at the option of its entry', () => {
    const parsed = parseConfig(unix('policies: [conservative, {use: limits, memory: {max: 4GiB}}]'), 'b.yaml');
    if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
    expect(String(parsed.fault(['listeners', 0, 'policies', 1, 'memory', 'max'], 'is too much'))).toBe(
      'b.yaml:4:59: listeners[0].policies[1].memory.max: is too much',
    );
    expect(parsed.locate(['listeners', 0, 'policies', 1])).toEqual({ line: 4, column: 31 });
  });

  test('are found without an exception, whatever stands where', () => {
    const base = {
      engines: [{ name: 'local', url: 'tcp://h:1', tls: { ca: 'x', cert: 'y', key: 'z' } }],
      listeners: [
        { name: 'p', url: 'unix:///x', auth: ['peer'], tls: {}, networks: { pools: [] }, jobSocket: {}, trust: {} },
      ],
      cache: { hosts: [], ca: {} },
      admin: { url: null, tls: {} },
      gc: {},
    };
    const text = JSON.stringify(base);
    const junk = fc.constantFrom<unknown>(
      null,
      true,
      0,
      'x',
      '',
      [],
      {},
      [null],
      [[]],
      [{}],
      { use: 1 },
      'tcp://h:1',
      '1s',
    );
    const places = [...text.matchAll(/(?<=:)("[^"]*"|\{\}|\[\]|null|\[[^[\]]*\])/g)].map(
      (found) => [found.index, found[0].length] as const,
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.constantFrom(...places), junk, junk, (one, other, a, b) => {
        const cut = (input: string, [at, length]: readonly [number, number], value: unknown): string =>
          input.slice(0, at) + JSON.stringify(value) + input.slice(at + length);
        const first = cut(text, one, a);
        const moved = other[0] > one[0] ? other[0] + first.length - text.length : other[0];
        parseConfig(other[0] === one[0] ? first : cut(first, [moved, other[1]], b), 'b.yaml');
      }),
      { numRuns: 500 },
    );
  });
});
