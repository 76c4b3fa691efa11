import { expect, test } from 'vitest';
import type { Call } from '../../../src/exchange/call.ts';
import { type Meaning, meaningOf } from '../../../src/exchange/meaning.ts';
import { KnownHeads } from '../../../src/wire/known-heads.ts';
import type { RequestHead } from '../../../src/wire/message.ts';
import type { RelayRequest } from '../../../src/wire/relay.ts';
import { readRequestHead } from '../../../src/wire/request-head.ts';

const LIMITS = { headBytes: 4096, headers: 100 };
const known = new KnownHeads<RequestHead>();

function headOf(target: string): RequestHead {
  const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: docker\r\nUser-Agent: test\r\n\r\n`, 'latin1');
  return readRequestHead(bytes, 0, bytes.length, LIMITS, 0, known)?.head as RequestHead;
}

function callOf(meaning: Meaning, more: Partial<Call> = {}): Call {
  return {
    namespace: null,
    listener: 'test',
    identity: { user: 'alice', groups: [], claims: {}, by: 'test' },
    endpoint: meaning.endpoint,
    version: 41,
    parameters: meaning.parameters,
    query: meaning.query.values,
    headers: meaning.headers,
    body: null,
    unknown: [],
    ...more,
  };
}

function printing(): { readonly print: () => RelayRequest; times: number } {
  const counted = {
    times: 0,
    print: (): RelayRequest => {
      counted.times++;
      return { method: 'GET', target: '/', headers: [], body: null, upgrade: null };
    },
  };
  return counted;
}

test('a head that comes again means the same, and is printed once', () => {
  const printed = printing();
  const first = meaningOf(headOf('/containers/web/json'));
  const sent = first.sentFor(callOf(first), printed.print);
  const second = meaningOf(headOf('/containers/web/json'));
  expect(second.sentFor(callOf(second), printed.print)).toBe(sent);
  expect(printed.times).toBe(1);
});

test('another container, or another version, is printed anew', () => {
  const printed = printing();
  const one = meaningOf(headOf('/containers/one/json'));
  const other = meaningOf(headOf('/containers/other/json'));
  expect(one.parameters).toEqual({ id: 'one' });
  expect(other.parameters).toEqual({ id: 'other' });
  one.sentFor(callOf(one), printed.print);
  other.sentFor(callOf(other), printed.print);
  one.sentFor(callOf(one, { version: 45 }), printed.print);
  expect(printed.times).toBe(3);
});

test('a call that a policy changed is never sent as an unchanged one was', () => {
  const printed = printing();
  const meaning = meaningOf(headOf('/containers/json?all=1'));
  meaning.sentFor(callOf(meaning), printed.print);
  const changed: readonly Partial<Call>[] = [
    { query: { ...meaning.query.values, limit: '1' } },
    { parameters: { id: 'alice.web' } },
    { headers: {} },
    { body: {} },
  ];
  for (const more of changed) meaning.sentFor(callOf(meaning, more), printed.print);
  expect(printed.times).toBe(1 + changed.length);
  meaning.sentFor(callOf(meaning), printed.print);
  expect(printed.times).toBe(1 + changed.length);
});

test('what the table does not know means nothing, however often it is asked', () => {
  for (let i = 0; i < 2; i++) expect(() => meaningOf(headOf('/no/such/page'))).toThrow('page not found');
});
