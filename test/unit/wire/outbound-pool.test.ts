import { describe, expect, it } from 'vitest';
import { engine, OK } from './engine.ts';
import { until } from './talk.ts';

describe('the pool of connections to an engine', () => {
  it('takes the connection that was used last', async () => {
    const { send, hears, pool } = await engine();
    const calls = [send({ target: '/0' }), send({ target: '/1' })];
    for (const n of [0, 1]) (await hears(n, '\r\n\r\n')).say(OK);
    await calls[0]?.ends();
    await calls[1]?.ends();
    expect(pool.idleConnections).toBe(2);
    for (let n = 2; n < 6; n++) {
      const call = send({ target: `/${n}` });
      (await hears(1, `/${n} HTTP`)).say(OK);
      await call.ends();
    }
  });

  it('sends a call that does no harm twice once more when its idle connection proves dead', async () => {
    const { send, hears, talks } = await engine();
    const first = send();
    (await hears(0, '\r\n\r\n')).say(OK);
    await first.ends();
    const second = send({ target: '/second' });
    (await hears(0, '/second')).socket.resetAndDestroy();
    (await hears(1, '/second')).say(OK);
    expect(await second.ends()).toMatchObject({ body: 'OK', fault: null });
    const third = send({ target: '/third' });
    (await hears(1, '/third')).end();
    (await hears(2, '/third')).end();
    expect((await third.ends()).fault?.kind).toBe('reset');
    expect(talks.length).toBe(3);
  });

  it('never sends again what may do harm twice, or has been answered in part', async () => {
    const { send, hears, talks } = await engine();
    const first = send();
    (await hears(0, '\r\n\r\n')).say(OK);
    await first.ends();
    const post = send({ method: 'POST', target: '/post' });
    (await hears(0, '/post')).socket.resetAndDestroy();
    expect((await post.ends()).fault?.kind).toBe('reset');
    const get = send();
    const talk = await hears(1, '\r\n\r\n');
    talk.say(OK);
    await get.ends();
    const partly = send({ target: '/partly' });
    (await hears(1, '/partly')).say('HTTP').end();
    expect((await partly.ends()).fault?.kind).toBe('short');
    expect(talks.length).toBe(2);
  });

  it('never leaves a connection in the pool that spoke unasked, behind an answer or between calls', async () => {
    const { send, hears, pool, talks } = await engine();
    const poisoned = send();
    (await hears(0, '\r\n\r\n')).say(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
    expect(await poisoned.ends()).toMatchObject({ body: 'OK' });
    expect(pool.idleConnections).toBe(0);
    const clean = send();
    (await hears(1, '\r\n\r\n')).say(OK);
    await clean.ends();
    expect(pool.idleConnections).toBe(1);
    talks[1]?.say('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await until(() => pool.idleConnections === 0);
    const next = send();
    (await hears(2, '\r\n\r\n')).say(OK);
    expect(await next.ends()).toMatchObject({ body: 'OK' });
  });

  it('does not keep connections that the engine closes', async () => {
    const { send, hears, pool } = await engine();
    const asked = send();
    (await hears(0, '\r\n\r\n')).say('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK');
    await asked.ends();
    expect(pool.idleConnections).toBe(0);
    const idle = send();
    const talk = await hears(1, '\r\n\r\n');
    talk.say(OK);
    await idle.ends();
    expect(pool.idleConnections).toBe(1);
    talk.end();
    await until(() => pool.idleConnections === 0);
  });

  it('keeps as many idle connections as it may, for as long as it may', async () => {
    const { send, hears, pool, talks } = await engine({ idleConnections: 2, idleTimeoutMs: 80 });
    const calls = [send(), send(), send()];
    await until(() => talks.length === 3);
    for (const n of [0, 1, 2]) (await hears(n, '\r\n\r\n')).say(OK);
    for (const call of calls) await call.ends();
    expect(pool.idleConnections).toBe(2);
    await until(() => pool.idleConnections === 0, 1000);
  });

  it('faults when the pool is closed; running calls end by themselves', async () => {
    const { send, hears, pool } = await engine();
    const running = send();
    const talk = await hears(0, '\r\n\r\n');
    pool.close();
    expect((await send().ends()).fault?.kind).toBe('refused');
    talk.say(OK);
    expect(await running.ends()).toMatchObject({ body: 'OK' });
    await talk.hearsEnd();
  });
});
