// RED-TEAM 15 to 21: bodies that Go reads and others do not. Each is first sent to the engine itself, where it bites.
import { expect, test } from 'vitest';
import { ask } from '../engine/raw-client.ts';
import { describeAttacks, type Inspected, type Setting } from './setting.ts';

interface Trick {
  readonly name: string;
  /** What is sent; the engine must be got to by it. */
  readonly body: string;
  /** What the engine made of it. */
  readonly bites: (made: Inspected) => void;
  /** Where Berthgate says that it is. */
  readonly place: string;
}

const privileged = ({ HostConfig }: Inspected): void => expect(HostConfig.Privileged).toBe(true);
const bound = ({ HostConfig }: Inspected): void => expect(HostConfig.Binds).toEqual(['/:/host']);

const tricks: readonly Trick[] = [
  {
    name: '15: a key in lower case',
    body: '{"Image":"busybox","HostConfig":{"privileged":true}}',
    bites: privileged,
    place: 'HostConfig.privileged',
  },
  {
    name: '15: a key in capitals',
    body: '{"Image":"busybox","HostConfig":{"BINDS":["/:/host"]}}',
    bites: bound,
    place: 'HostConfig.BINDS',
  },
  {
    name: '15: the host configuration itself in lower case',
    body: '{"Image":"busybox","hostconfig":{"Privileged":true}}',
    bites: privileged,
    place: 'hostconfig',
  },
  {
    name: '15: a doubled host configuration, which Go merges',
    body: '{"Image":"busybox","HostConfig":{"Privileged":true},"HostConfig":{"Binds":null}}',
    bites: privileged,
    place: 'HostConfig',
  },
  {
    name: '15: a doubled key of which null does not count',
    body: '{"Image":"busybox","HostConfig":{"Privileged":true,"Privileged":null}}',
    bites: privileged,
    place: 'HostConfig.Privileged',
  },
  {
    name: '15: the true key and a variant of it',
    body: '{"Image":"busybox","HostConfig":{"Privileged":false,"privileged":true}}',
    bites: privileged,
    place: 'HostConfig.privileged',
  },
  {
    name: '16: a long s',
    body: '{"Image":"busybox","HostConfig":{"Bind\u017f":["/:/host"]}}',
    bites: bound,
    place: 'HostConfig["Bind\u017f"]',
  },
  {
    name: '16: an escaped long s',
    body: '{"Image":"busybox","HostConfig":{"Bind\\u017f":["/:/host"]}}',
    bites: bound,
    place: 'HostConfig["Bind\u017f"]',
  },
  {
    name: '16: a Kelvin sign',
    body: '{"Image":"busybox","HostConfig":{"Networ\u212aMode":"host"}}',
    bites: ({ HostConfig }) => expect(HostConfig.NetworkMode).toBe('host'),
    place: 'HostConfig["Networ\u212aMode"]',
  },
  {
    name: '21: a doubled list whose elements merge',
    body:
      '{"Image":"busybox","HostConfig":{"Mounts":[{"Type":"bind","Source":"/etc","Target":"/a","ReadOnly":true}],' +
      '"Mounts":[{"Type":"bind","Source":"/","Target":"/host"}]}}',
    bites: ({ HostConfig }) => expect(HostConfig.Mounts?.[0]?.Source).toBe('/'),
    place: 'HostConfig.Mounts',
  },
];

async function create(
  setting: Setting,
  place: string,
  body: string,
): Promise<{ status: number; message: string; id: string | undefined }> {
  const answer = await ask(place, 'POST', `${setting.version}/containers/create`, {
    body,
    headers: { 'Content-Type': 'application/json' },
  });
  const { Id, message = '' } = answer.json<{ Id?: string; message?: string }>();
  if (Id !== undefined) setting.remember(Id);
  return { status: answer.status, message, id: Id };
}

describeAttacks('a body', (setting) => {
  test.each(tricks)('$name', async ({ body, bites, place }) => {
    const { id } = await create(setting, setting.direct, body);
    bites(await setting.inspect(id as string));
    const refused = await create(setting, setting.through, body);
    expect(refused).toMatchObject({ status: 400, id: undefined });
    expect(refused.message.startsWith(`berthgate: ${place}: `)).toBe(true);
  });

  test('17: an escaped key is the key itself, for who judges and for the engine', async () => {
    const body = '{"Image":"busybox","HostConfig":{"\\u0050rivileged":true}}';
    expect(/"Privileged"/.test(body)).toBe(false);
    for (const place of [setting.direct, setting.through]) {
      const { id } = await create(setting, place, body);
      privileged(await setting.inspect(id as string));
    }
    // Beside the plain one it is a doubled key.
    const doubled = '{"Image":"busybox","HostConfig":{"Privileged":false,"\\u0050rivileged":true}}';
    privileged(await setting.inspect((await create(setting, setting.direct, doubled)).id as string));
    expect(await create(setting, setting.through, doubled)).toMatchObject({ status: 400, id: undefined });
  });

  test('18: a number over 2^53 arrives with all of its digits', async () => {
    const digits = '9007199254740993';
    const body = `{"Image":"busybox","HostConfig":{"Memory":${digits},"MemorySwap":-1}}`;
    // Whoever judges with JavaScript's numbers judges another one.
    expect(JSON.stringify(JSON.parse(body))).not.toContain(digits);
    for (const place of [setting.direct, setting.through]) {
      const { id, message } = await create(setting, place, body);
      const { text } = await ask(setting.direct, 'GET', `/containers/${id}/json`);
      expect(text, message).toContain(`"Memory":${digits},`);
    }
  });

  test('18: a number that fits no integer is refused', async () => {
    for (const written of ['1.0', '1e3', '18446744073709551616']) {
      const body = `{"Image":"busybox","HostConfig":{"Memory":${written}}}`;
      const refused = await create(setting, setting.through, body);
      expect(refused).toMatchObject({
        status: 400,
        message: expect.stringContaining('HostConfig.Memory: a whole number'),
      });
    }
  });

  test('19: a second document behind the first', async () => {
    const body = '{"Image":"busybox"}{"HostConfig":{"Privileged":true}}';
    const direct = await create(setting, setting.direct, body);
    // Engines up to 20.10 do not look behind the first one.
    if (setting.engine.name === '20.10') expect(direct.status).toBe(201);
    expect(await create(setting, setting.through, body)).toMatchObject({
      status: 400,
      message: expect.stringContaining('something follows'),
    });
  });

  test('20: __proto__ and constructor are labels like any other, and fields that nobody knows', async () => {
    const labels = '{"__proto__":"a","constructor":"b","toString":"c"}';
    const { id } = await create(setting, setting.through, `{"Image":"busybox","Labels":${labels},"HostConfig":{}}`);
    const { text } = await ask(setting.direct, 'GET', `/containers/${id}/json`);
    for (const label of ['"__proto__":"a"', '"constructor":"b"', '"toString":"c"']) expect(text).toContain(label);
    expect(({} as Record<string, unknown>).Privileged).toBeUndefined();
    const polluting = '{"Image":"busybox","__proto__":{"HostConfig":{"Privileged":true}}}';
    const made = await create(setting, setting.through, polluting);
    expect((await setting.inspect(made.id as string)).HostConfig.Privileged).toBe(false);
  });

  test.each([
    [
      'a list for an object',
      '{"Image":"busybox","HostConfig":[{"Privileged":true}]}',
      'HostConfig: an object is expected',
    ],
    ['a text for an object', '{"Image":"busybox","HostConfig":"{}"}', 'HostConfig: an object is expected'],
    [
      'an object for a list',
      '{"Image":"busybox","HostConfig":{"Binds":{"0":"/:/host"}}}',
      'HostConfig.Binds: a list is expected',
    ],
    [
      'a number for a truth value',
      '{"Image":"busybox","HostConfig":{"Privileged":1}}',
      'HostConfig.Privileged: true or false is expected',
    ],
    [
      'a text for a truth value',
      '{"Image":"busybox","HostConfig":{"Privileged":"false"}}',
      'HostConfig.Privileged: true or false is expected',
    ],
    ['a list as the whole document', '[{"Image":"busybox"}]', 'body: an object is expected'],
  ])('21: %s', async (_, body, message) => {
    const refused = await create(setting, setting.through, body);
    expect(refused).toMatchObject({ status: 400, id: undefined });
    expect(refused.message.startsWith(`berthgate: ${message}`)).toBe(true);
  });

  test('21: null says nothing, for who judges and for the engine', async () => {
    const { id } = await create(
      setting,
      setting.through,
      '{"Image":"busybox","HostConfig":{"Privileged":null,"Binds":null}}',
    );
    expect((await setting.inspect(id as string)).HostConfig).toMatchObject({ Privileged: false, Binds: null });
  });
});
