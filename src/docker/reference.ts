/** The reference pages of the API, rendered from the table: what Berthgate knows of Docker, for people to read. */

import type { AnswerBody, Endpoint, RequestBody, Risk } from './endpoint.ts';
import { code, type Row, rowsOf, type Told, versionsOf } from './reference-rows.ts';
import type { Shape } from './shape.ts';

const made = 'Made from the table by `npm run reference`: change `src/docker/`, not this file.';

/** Which page an endpoint stands on, by the first word of its path. */
const pages: Readonly<Record<string, { readonly title: string; readonly words: readonly string[] }>> = {
  'containers.md': { title: 'Containers', words: ['containers', 'exec'] },
  'images.md': { title: 'Images', words: ['images', 'commit', 'distribution'] },
  'builds.md': {
    title: 'Builds',
    words: ['build', 'session', 'grpc', 'moby.buildkit.v1.Control', 'moby.buildkit.v1.frontend.LLBBridge'],
  },
  'networks.md': { title: 'Networks', words: ['networks'] },
  'volumes.md': { title: 'Volumes', words: ['volumes'] },
  'plugins.md': { title: 'Plugins', words: ['plugins'] },
  'swarm.md': { title: 'Swarm', words: ['swarm', 'nodes', 'secrets', 'configs'] },
  'services.md': { title: 'Services', words: ['services', 'tasks'] },
  'debug.md': { title: 'Debugging of the engine', words: ['debug'] },
};
const rest = { file: 'system.md', title: 'The engine' };

const risks: Readonly<Record<Risk, string>> = {
  ping: 'tells only that an engine is there, and its version',
  read: 'looks at objects',
  write: 'makes, changes or removes objects',
  exec: 'runs programs or talks to them',
  build: 'builds images',
  transfer: 'the engine speaks with registries or other hosts',
  cluster: 'swarm and plugins: root on every node',
  tunnel: 'carries another protocol, unread',
  never: 'reaches the insides of the engine: not served at all',
};

/** Every page by its file's name. */
export function renderReference(table: readonly Endpoint[]): ReadonlyMap<string, string> {
  const grouped = new Map<string, Endpoint[]>();
  for (const file of [...Object.keys(pages), rest.file]) grouped.set(file, []);
  for (const endpoint of table) grouped.get(pageOf(endpoint))?.push(endpoint);
  const rendered = new Map([['README.md', renderIndex(grouped)]]);
  for (const [file, endpoints] of grouped) rendered.set(file, renderPage(titleOf(file), endpoints));
  return rendered;
}

function pageOf({ path }: Endpoint): string {
  const word = path.split('/')[1] ?? '';
  return (
    Object.entries(pages).find(([, { words }]) =>
      words.some((prefix) => word === prefix || word.startsWith(`${prefix}.`)),
    )?.[0] ?? rest.file
  );
}

function titleOf(file: string): string {
  return pages[file]?.title ?? rest.title;
}

function renderIndex(grouped: ReadonlyMap<string, readonly Endpoint[]>): string {
  return lines(
    '# The Docker Engine API, as Berthgate knows it',
    made,
    'Every endpoint is declared once; what is not here does not exist for a client of Berthgate. What a field means to a proxy stands beside it: whether it names something, makes something, reaches the host, or concerns only the object itself.',
    '## Risks',
    tableOf(
      ['risk', 'what such a call does'],
      Object.entries(risks).map(([risk, meaning]) => [risk, meaning]),
    ),
    '## How places are written',
    '`IPAM.Config[].Subnet` is a field of every entry of a list, `Labels{*}` any value of a map and `Options{mtu}` that of one key, `filters{name}` the values of a filter. `Source (Type volume)` is what `Source` means where `Type` says `volume`.',
    ...[...grouped].flatMap(([file, endpoints]) => [
      `## ${titleOf(file)}`,
      tableOf(
        ['endpoint', 'call', 'risk', 'what it does'],
        endpoints.map((endpoint) => [
          `[${endpoint.id}](${file}#${endpoint.id.toLowerCase()})`,
          code(callOf(endpoint)),
          endpoint.risk,
          endpoint.summary,
        ]),
      ),
    ]),
  );
}

function renderPage(title: string, endpoints: readonly Endpoint[]): string {
  const fields: Told['fields'] = new Map();
  return lines(`# ${title}`, made, ...endpoints.flatMap((endpoint) => renderEndpoint(endpoint, fields)));
}

function callOf({ method, path }: Endpoint): string {
  return `${method} ${path}`;
}

function renderEndpoint(endpoint: Endpoint, fields: Told['fields']): readonly string[] {
  const { id, summary, risk, undocumented, fills, shareable, body, answer } = endpoint;
  const toldOf = (part: string): Told => ({ fields, where: `${part} of [${id}](#${id.toLowerCase()})` });
  return [
    `## ${id}`,
    `${summary}.`,
    [
      `- ${code(callOf(endpoint))}, ${versionsOf(endpoint)}`,
      `- risk: ${risk} (${risks[risk]})`,
      `- asks with ${asks(body)}, is answered with ${answers(answer)}`,
      ...(fills === true ? ["- takes room on the engine's disk"] : []),
      ...(shareable === true ? ['- those who ask at the same time may share one answer of the engine'] : []),
      ...(undocumented === undefined ? [] : [`- not in Docker's own document; moby has it in ${code(undocumented)}`]),
    ].join('\n'),
    ...section('In the path', endpoint.parameters, toldOf('path')),
    ...section('Query', endpoint.query, toldOf('query')),
    ...section('Headers', endpoint.headers, toldOf('headers')),
    ...shapeSection('Body', body.shape, toldOf('body')),
    ...section('Headers of the answer', endpoint.answerHeaders, toldOf('answer')),
    ...shapeSection('Answer', answer.shape, toldOf('answer')),
  ];
}

const travels: Readonly<Record<RequestBody['travel'] | AnswerBody['travel'], string>> = {
  none: 'nothing',
  text: 'plain text',
  json: 'JSON',
  lines: 'JSON documents, one behind the other, as they happen',
  tar: 'a tar',
  frames: "Docker's multiplexed output, or the raw one of a terminal",
  hijack: 'bytes both ways',
  websocket: 'a websocket',
  h2c: 'HTTP/2 without TLS',
  grpc: 'gRPC messages',
};

function asks({ travel, optional }: RequestBody): string {
  return optional === true ? `${travels[travel]}, or nothing` : travels[travel];
}

function answers({ travel }: AnswerBody): string {
  return travel === 'none' ? 'a status' : travels[travel];
}

function section(title: string, shapes: Readonly<Record<string, Shape>>, told: Told): readonly string[] {
  const rows = Object.entries(shapes).flatMap(([name, shape]) => rowsOf(shape, name, told));
  return rows.length === 0 ? [] : [`### ${title}`, rowTable(rows)];
}

function shapeSection(title: string, shape: Shape | undefined, told: Told): readonly string[] {
  const rows = shape === undefined ? [] : rowsOf(shape, '', told);
  return rows.length === 0 ? [] : [`### ${title}`, rowTable(rows)];
}

function rowTable(rows: readonly Row[]): string {
  return tableOf(
    ['place', 'type', 'versions', 'what it means'],
    rows.map(({ place, type, versions, meaning }) => [
      place === '' ? 'the whole' : code(place),
      type,
      versions,
      meaning,
    ]),
  );
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Paragraphs, with a blank line between them. */
function lines(...paragraphs: readonly string[]): string {
  return `${paragraphs.join('\n\n')}\n`;
}
