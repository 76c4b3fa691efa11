import { describe, expect, test } from 'vitest';
import type { Endpoint } from '../../../src/docker/endpoint.ts';
import { table } from '../../../src/docker/table.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { type Json, printJson } from '../../../src/ground/json.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import { markedIn, type NamedKind, type Spot, served, spotsOf } from './marked.ts';
import { callOf, idOf, twoNamespaces } from './two-namespaces.ts';

const foreignNames: Readonly<Record<NamedKind, readonly string[]>> = {
  container: ['nsb.web', idOf('nsb', 'container'), idOf('nsb', 'container').slice(0, 12)],
  network: ['nsb.net', idOf('nsb', 'network'), idOf('nsb', 'network').slice(0, 12), 'nsb.bridge'],
  volume: ['nsb.data'],
};
const ownName: Readonly<Record<NamedKind, string>> = { container: 'web', network: 'net', volume: 'data' };

function callAt(endpoint: Endpoint, { part, with: put }: Spot, name: string): Call {
  return callOf(endpoint.id, { [part]: put(name) } as Partial<Pick<Call, 'parameters' | 'query' | 'body'>>);
}

/** What would be sent, or why it is not; with everything that the engine was told to do on the way. */
async function entered(call: Call): Promise<{ readonly sent: string | null; readonly refusal: Refusal | null }> {
  const engine = twoNamespaces();
  try {
    const { call: sent, answer } = await engine.of('nsa').enter(call);
    const orders = engine.asked.filter(({ endpoint }) => !/List$|Inspect$/.test(endpoint)).map(({ said }) => said);
    const said = answer === null ? printJson([sent.parameters, sent.query as Json, sent.body]) : '';
    return { sent: [said, ...orders].join('\n'), refusal: null };
  } catch (fault) {
    if (fault instanceof Refusal) return { sent: null, refusal: fault };
    throw fault;
  }
}

/** As the engine would read it: a name of the other namespace, or its id. Double prefixes are names of nsa. */
function speaksOfOther(sent: string): boolean {
  return /(?<![A-Za-z0-9_.-])nsb\./.test(sent) || /(?<![A-Za-z0-9_.-])[cde]b{11}/.test(sent);
}

const requests = table.flatMap((endpoint) =>
  spotsOf(endpoint)
    .filter(({ spelling }) => spelling !== 'pattern')
    .map((spot) => ({ endpoint, spot })),
);

describe('what a client of one namespace says', () => {
  test('has many marked places', () => {
    expect(requests.length).toBeGreaterThan(80);
  });

  test.each(
    requests.map(({ endpoint, spot }) => [`${endpoint.id} ${spot.part} ${spot.place}`, endpoint, spot] as const),
  )('reaches nothing of another one: %s', async (_, endpoint, spot) => {
    for (const name of foreignNames[spot.kind]) {
      const { sent, refusal } = await entered(callAt(endpoint, spot, name));
      // A name that is free here may be taken, and is an alias of its container.
      const said = spot.made ? sent?.replace(/"Aliases":\[[^\]]*\]|"berthgate.alias":"[^"]*"/g, '') : sent;
      if (typeof said === 'string') expect(speaksOfOther(said), `${name} in ${said}`).toBe(false);
      else expect([403, 404, 400]).toContain(refusal?.status);
    }
  });

  test.each(
    requests.map(({ endpoint, spot }) => [`${endpoint.id} ${spot.part} ${spot.place}`, endpoint, spot] as const),
  )('says the same of what is there and of what is not: %s', async (_, endpoint, spot) => {
    const foreign = await entered(callAt(endpoint, spot, 'nsb.web'));
    const absent = await entered(callAt(endpoint, spot, 'nsx.web'));
    expect(foreign.refusal?.message.replaceAll('nsb.', 'nsx.')).toBe(absent.refusal?.message);
    expect(foreign.refusal?.code).toBe(absent.refusal?.code);
  });

  test.each(
    requests
      .filter(({ spot }) => !spot.made)
      .map(({ endpoint, spot }) => [`${endpoint.id} ${spot.part} ${spot.place}`, endpoint, spot] as const),
  )('reaches what is its own, or is refused as a whole: %s', async (_, endpoint, spot) => {
    const { sent, refusal } = await entered(callAt(endpoint, spot, ownName[spot.kind]));
    if (refusal !== null) {
      // Old clients say fields of the host configuration beside it.
      expect(refusal.code === 'refused' || refusal.place === 'HostConfig').toBe(true);
      return;
    }
    // Events are filtered here, and a call that is answered here sends nothing.
    if (endpoint.id === 'SystemEvents') return;
    const engines = spot.kind === 'volume' ? 'nsa.data' : idOf('nsa', spot.kind);
    expect(sent === '' || sent?.includes(engines) || sent?.includes(`nsa.${ownName[spot.kind]}`)).toBe(true);
  });
});

/** What a create has made is the client's, whatever it is called. */
const creates: ReadonlySet<string> = new Set(['ContainerCreate', 'NetworkCreate', 'VolumeCreate']);
const servedAnswers = served.filter(({ id, answer }) => answer.shape !== undefined && !creates.has(id));

describe('what a client of one namespace is told', () => {
  test.each(
    servedAnswers.flatMap((endpoint) =>
      markedIn(endpoint.answer.shape as NonNullable<typeof endpoint.answer.shape>, 'answer').map(
        (marked) => [`${endpoint.id} ${marked.place}`, endpoint, marked] as const,
      ),
    ),
  )('is its own names, and nothing of another: %s', async (_, endpoint, marked) => {
    const engine = twoNamespaces();
    const call = callOf(endpoint.id, {});
    // What is known of both, as the events of the engine would have told.
    await engine.of('nsa').context.lookUp('ContainerInspect', { id: 'web' });
    await engine.of('nsb').context.lookUp('ContainerInspect', { id: 'web' });
    await engine.of('nsb').context.lookUp('NetworkInspect', { id: 'net' });
    const passage = await engine.of('nsa').enter(call);
    const tell = (name: string): string => printJson(passage.names.told(marked.with(name), 200) ?? null);
    for (const name of foreignNames[marked.kind].filter((one) => !/^[cd]b{11}$/.test(one))) {
      expect(tell(name), name).not.toMatch(/nsb\.|b{12}/);
    }
    if (marked.spelling !== 'id') expect(tell(`nsa.${ownName[marked.kind]}`)).not.toContain('nsa.');
  });

  test.each([
    ['a name in use', 'Conflict. The container name "/nsa.web" is already in use by container "1"', '/web'],
    ['a network in use', 'network nsa.net has active endpoints (name:"nsa.web" id:"1")', 'name:"web"'],
    [
      'a port in use',
      'driver failed programming external connectivity on endpoint nsa.web (1): port is already allocated',
      'endpoint web',
    ],
  ])('in errors: %s', async (_, message, told) => {
    const passage = await twoNamespaces().of('nsa').enter(callOf('ContainerStart', {}));
    const shown = printJson(passage.names.told({ message }, 409) ?? null);
    expect(JSON.parse(shown).message).toContain(told);
    expect(shown).not.toContain('nsa.');
  });

  test('the name of another in an error is hidden', async () => {
    const engine = twoNamespaces();
    await engine.of('nsb').context.lookUp('ContainerInspect', { id: 'web' });
    const passage = await engine.of('nsa').enter(callOf('NetworkCreate', { body: { Name: 'other' } }));
    const shown = passage.names.told({ message: `in use by nsb.web ${idOf('nsb', 'container')}` }, 409);
    expect(printJson(shown ?? null)).not.toMatch(/nsb|b{12}/);
  });

  const layer = `/var/lib/docker/overlay2/${'1'.repeat(64)}/merged`;
  test.each([
    [
      'a folder of a volume',
      'lstat /srv/docker/volumes/nsa.data/_data/a/b: no such file',
      'lstat data/a/b: no such file',
    ],
    ["a volume that is not the namespace's", 'source "/d/volumes/nsb.data/_data"', 'source "(hidden)"'],
    ['a file of a container', `source ${layer}/etc/passwd is not directory`, 'source /etc/passwd is not directory'],
    ['the root of a container', `lstat ${layer}: gone`, 'lstat /: gone'],
    ['a mount of containerd', `src=/d/rootfs/overlayfs/${'1'.repeat(64)}/etc, dst=/x`, 'src=/etc, dst=/x'],
    ['what only looks so', 'exec: "/src/volumes/readme"', 'exec: "/src/volumes/readme"'],
  ])('names no path of the host in errors: %s', async (_, message, told) => {
    for (const endpoint of ['ContainerStart', 'NetworkCreate']) {
      const passage = await twoNamespaces()
        .of('nsa')
        .enter(callOf(endpoint, { body: { Name: 'other' } }));
      expect(passage.names.told({ message }, 409)).toEqual({ message: told });
    }
  });

  // A time that grows with the square of the length would be hours.
  test.each([
    '/a',
    'a',
    'a.',
    'nsa.a',
    'nsa.a/',
    'nsa.a@',
    '/jobs/',
    '/volumes/',
    `${'b'.repeat(64)} `,
    '127.0.0.1:5350/nsa/..:',
  ])('an error in which a client has the engine repeat %j a million times is told at once', async (unit) => {
    const message = unit.repeat(1e6 / unit.length);
    for (const endpoint of ['ContainerStart', 'NetworkCreate']) {
      const passage = await twoNamespaces()
        .of('nsa')
        .enter(callOf(endpoint, { body: { Name: 'other', Driver: message } }));
      expect(passage.names.told({ message: `${message}!` }, 409)).toMatchObject({ message: expect.any(String) });
    }
  });
});
