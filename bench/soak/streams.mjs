// The streams of the soak: attached terminals, followed logs and events, each watched for what it may not do.

import { request } from 'node:http';
import net from 'node:net';

const HEADER_BYTES = 8;

/**
 * Opens one stream to `to`, the path of a socket. `say(fault)` hears of every wrong byte. Gives `{kind, ended, check, close}`;
 * `ended` resolves when the stream is over, `check()` tells whether it was alive since the last time it was asked.
 */
export function openStream(kind, to, container, say) {
  if (kind === 'attach') return attach(to, container, say);
  if (kind === 'logs') return followLogs(to, container, say);
  return followEvents(to, say);
}

/** Says a word every second, and must hear it again: `cat` runs in the container. */
function attach(to, container, say) {
  const word = `word-${Math.random().toString(36).slice(2)}`;
  let spoken = 0;
  let heard = 0;
  let text = '';
  let answered = false;
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: to });
    const ended = new Promise((over) => socket.once('close', over));
    const talking = setInterval(() => {
      if (answered && socket.writable) socket.write(`${word}-${spoken++}\n`);
    }, 1000);
    void ended.then(() => clearInterval(talking));
    socket.on('error', reject);
    socket.write(
      `POST /v1.41/containers/${container}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n` +
        'Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
    );
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (!answered) {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const status = text.slice(9, 12);
        text = text.slice(end + 4);
        if (status !== '101') {
          socket.destroy();
          reject(new Error(`attach was answered with ${status}`));
          return;
        }
        answered = true;
        resolve({ kind: 'attach', ended, check, close: () => socket.destroy() });
      }
      const found = text.matchAll(new RegExp(`${word}-(\\d+)\n`, 'g'));
      for (const [whole, number] of found) {
        if (Number(number) !== heard) say(`an attached terminal heard ${number} where ${heard} was to come`);
        heard = Number(number) + 1;
        text = text.slice(text.indexOf(whole) + whole.length);
      }
      if (text.length > 65_536) text = text.slice(-1024);
    });
    socket.once('close', () => reject(new Error('the connection was closed')));
  });

  function check() {
    const alive = spoken === 0 || heard > 0;
    return alive;
  }
}

/** The container counts: every number is one more than the one before. */
function followLogs(to, container, say) {
  let last = null;
  let rest = Buffer.alloc(0);
  let lines = 0;
  const path = `/v1.41/containers/${container}/logs?follow=1&stdout=1&tail=1`;
  return stream('logs', to, path, (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES) {
      const size = rest.readUInt32BE(4);
      if (rest[0] !== 1 || size > 65_536) {
        say(`the frame of a log begins with ${rest.subarray(0, HEADER_BYTES).toString('hex')}`);
        rest = Buffer.alloc(0);
        return;
      }
      if (rest.length < HEADER_BYTES + size) return;
      const number = Number(rest.toString('latin1', HEADER_BYTES, HEADER_BYTES + size));
      rest = rest.subarray(HEADER_BYTES + size);
      if (last !== null && number !== last + 1) say(`a log goes from ${last} to ${number}`);
      last = number;
      lines++;
    }
  }).then((one) => ({ ...one, check: () => lines > 0 }));
}

/** Every line is one event. */
function followEvents(to, say) {
  let rest = '';
  return stream('events', to, '/v1.41/events', (chunk) => {
    rest += chunk.toString();
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      try {
        if (typeof JSON.parse(line).Type !== 'string') say(`an event without a type: ${line}`);
      } catch {
        say(`an event that is not JSON: ${line}`);
      }
    }
  }).then((one) => ({ ...one, check: () => true }));
}

function stream(kind, to, path, onData) {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: to, path, agent: false }, (answer) => {
      const ended = new Promise((over) => {
        answer.once('close', over);
      });
      answer.on('error', () => {});
      if (answer.statusCode !== 200) {
        answer.resume();
        reject(new Error(`${kind} was answered with ${answer.statusCode}`));
        return;
      }
      answer.on('data', onData);
      resolve({ kind, ended, close: () => call.destroy() });
    });
    call.on('error', reject);
    call.end();
  });
}
