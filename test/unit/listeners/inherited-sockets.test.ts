import { expect, test } from 'vitest';
import { takeInheritedSockets } from '../../../src/front/listeners/inherited-sockets.ts';

const pid = 4242;

test('sockets are found by name, several of one name too, and the variables are gone for children', () => {
  const env = { LISTEN_PID: '4242', LISTEN_FDS: '3', LISTEN_FDNAMES: 'docker:admin:docker', PATH: '/bin' };
  expect(takeInheritedSockets(env, pid)).toEqual(
    new Map([
      ['docker', [3, 5]],
      ['admin', [4]],
    ]),
  );
  expect(env).toEqual({ PATH: '/bin' });
});

test('sockets without names are called unknown, as the service manager does', () => {
  expect(takeInheritedSockets({ LISTEN_PID: '4242', LISTEN_FDS: '2' }, pid)).toEqual(new Map([['unknown', [3, 4]]]));
});

test('variables that were meant for another process are not taken', () => {
  expect(takeInheritedSockets({ LISTEN_PID: '1', LISTEN_FDS: '2' }, pid).size).toBe(0);
  expect(takeInheritedSockets({ LISTEN_FDS: '2' }, pid).size).toBe(0);
  expect(takeInheritedSockets({}, pid).size).toBe(0);
});

test('variables that make no sense are refused', () => {
  expect(() => takeInheritedSockets({ LISTEN_PID: '4242', LISTEN_FDS: '-1' }, pid)).toThrow(/LISTEN_FDS/);
  expect(() => takeInheritedSockets({ LISTEN_PID: '4242', LISTEN_FDS: '99999' }, pid)).toThrow(/LISTEN_FDS/);
  expect(() => takeInheritedSockets({ LISTEN_PID: '4242', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a' }, pid)).toThrow(
    /LISTEN_FDNAMES/,
  );
});
