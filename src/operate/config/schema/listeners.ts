/** The sockets that clients come in on, and what holds for who comes in on each. */

import { z } from 'zod';
import { cidr, hostPortPattern, ipAddress, listenUrl } from './addresses.ts';
import { expecting, wholeNumber, yesOrNo } from './field.ts';
import { account, file, headerName, listOf, oneOf, partName, template, word } from './names.ts';
import { authenticatorUse, policyUse } from './plugin-use.ts';
import { fileMode, gracePeriod, portRange, size, timeout } from './quantities.ts';
import { serverTls } from './tls.ts';

/** Of a socket's file where `mode` is absent. */
export const defaultSocketMode = 0o600;

const trust = z.strictObject({
  clients: listOf(word('a subject alternative name'), 1).meta({
    description: 'The subject alternative names of the front instances that may say who the client is.',
  }),
  header: headerName().prefault('Berthgate-Identity').meta({ description: 'The header in which they say it.' }),
  crl: file()
    .meta({
      description: "The revocation lists of `tls.clientCa`, as of `client-cert`: a front instance's certificate too.",
    })
    .optional(),
});

const requests = z.strictObject({
  head: size(1024, 2 ** 20)
    .prefault('64KiB')
    .meta({ description: 'The most bytes of a request line and its headers.' }),
  headers: wholeNumber(8, 10_000).prefault(200).meta({ description: 'The most header fields of a request.' }),
  json: size(1024, 2 ** 28)
    .prefault('8MiB')
    .meta({ description: 'The most bytes of a JSON body. Streams are not bounded by it.' }),
  depth: wholeNumber(8, 512).prefault(64).meta({ description: 'How deeply JSON may nest.' }),
  connections: wholeNumber(1, 1_000_000)
    .prefault(1000)
    .meta({ description: 'The most connections of the listener at one time.' }),
  headTimeout: timeout().prefault('10s').meta({ description: 'How long the head of a request may take.' }),
  bodyTimeout: timeout()
    .prefault('60s')
    .meta({ description: "How long a JSON body may take, or a message of BuildKit's. Streams are not bounded by it." }),
});

const notAnAddress = expecting('an IP address of the host, or gateway');

const ports = z.strictObject({
  address: z
    .union([z.literal('gateway', { error: notAnAddress }), ipAddress()], { error: notAnAddress })
    .prefault('127.0.0.1')
    .meta({
      description:
        "Where published ports go: an address of the host, or `gateway`, the address of the container's own bridge (the default of job sockets).",
    }),
  range: portRange().prefault('1024-65535').meta({
    description: 'The ports of the host that may be published, and that the engine chooses from.',
  }),
});

const networks = z.strictObject({
  pools: listOf(cidr(), 1).prefault(['10.128.0.0/9']).meta({
    description:
      'Where the networks of namespaces get their addresses from. With a pool of IPv6, networks that want it get a /64 of it, and so do default ones.',
  }),
  size: wholeNumber(8, 126)
    .prefault(26)
    .meta({ description: 'The prefix length of one network cut from a pool of IPv4.' }),
  allowed: listOf(cidr())
    .prefault([])
    .meta({ description: 'The subnets that a client may ask for by itself. `[]`: none.' }),
  shared: listOf(word('the name of a network')).prefault([]).meta({
    description: "The engine's own networks that every namespace may join, look at and leave, under their own name.",
  }),
});

const builds = z.strictObject({
  cacheScope: template().nullable().prefault(null).meta({
    description:
      "Whose builds share a cache and cache mounts: a template as of `namespace`, without labels. Absent: those of a namespace; those of a job share its owner's.",
  }),
  urls: listOf(hostPortPattern()).prefault([]).meta({
    description:
      'Hosts that a build may fetch from, by HTTP and by git: `ADD` of an address, contexts, named contexts; each also with a port.',
  }),
  frontends: listOf(word('the name of an image')).prefault(['docker/dockerfile']).meta({
    description:
      "Images that `# syntax=` may name in a namespace, as patterns: the engine's own frontend reads the file in their place.",
  }),
  maxTime: timeout().prefault('2h').meta({ description: 'How long one build may take.' }),
});

const jobSocket = z.strictObject({
  for: oneOf('requested', 'every').prefault('requested').meta({
    description: "Which containers get a socket of their own: those that ask for the engine's, or every one.",
  }),
  policies: listOf(policyUse())
    .prefault(['conservative'])
    .meta({ description: 'The policies of job sockets, in order.' }),
  groupBy: listOf(word("a label's key")).prefault(['com.gitlab.gitlab-runner.job.id']).meta({
    description:
      'Labels whose values, where they are equal, make several containers of one namespace one job: the first of them that a create carries counts.',
  }),
  linger: gracePeriod().prefault('5m').meta({
    description: 'How long a job waits while its containers are there and none of them runs.',
  }),
  namespace: oneOf('job', 'owner').prefault('job').meta({
    description:
      'Where the sockets lead: `job`, a temporary namespace that ends with the containers; `owner`, the namespace of the container itself, where what is made stays.',
  }),
});

export const listener = z.strictObject({
  name: partName().meta({ description: 'How logs, metrics and `{listener}` call this listener.' }),
  url: listenUrl().meta({
    description:
      'Where it listens: `unix:///PATH`, `tcp://ADDRESS:PORT`, or `fd://NAME` for a socket of the service manager.',
  }),
  mode: fileMode().meta({ description: 'The permissions of a `unix://` socket. Default: `"0600"`.' }).optional(),
  owner: account('the name or number of a user')
    .meta({ description: 'Who owns a `unix://` socket. Default: who runs Berthgate.' })
    .optional(),
  group: account('the name or number of a group')
    .meta({ description: 'The group of a `unix://` socket. Default: of who runs Berthgate.' })
    .optional(),
  tls: serverTls.meta({ description: 'TLS; not for `unix://`.' }).optional(),
  engine: partName()
    .meta({
      description:
        'The engine of this listener. Default: the only one there is. With several it must be named: nothing chooses among them yet.',
    })
    .optional(),
  auth: listOf(authenticatorUse(), 1).prefault(['peer']).meta({
    description:
      'Who the client is: authenticators, asked in order. A credential that is there and wrong ends the call. Built in: `peer` (the uid on a unix socket), `client-cert`, `basic`, `token`, `jwt`, `anonymous` (everybody). An entry is a name, the path of a module, or `{use: NAME, …its options}`.',
  }),
  trust: trust.nullable().prefault(null).meta({
    description:
      'Front instances that may speak for their clients; over client certificates only. Absent: nobody, and the header says nothing.',
  }),
  namespace: template().nullable().prefault('{user}').meta({
    description:
      'The namespace of a client: a template of `{user}`, `{group}`, `{listener}`, `{claim.NAME}`, and `{label.KEY}` of a create where `trustLabels` is true. `null`: none, the engine as it is.',
  }),
  trustLabels: yesOrNo().prefault(false).meta({
    description: "Whether labels of a create may choose the namespace: for a CI runner's own listener only.",
  }),
  policies: listOf(policyUse()).prefault(['conservative']).meta({
    description:
      'What may be done: policies, asked in order. Each may refuse a call or change it. An entry is a name or `{use: NAME, …its options}`. `[]`: everything may.',
  }),
  requests: requests.prefault({}).meta({ description: 'Limits of a request.' }),
  ports: ports.nullable().prefault(null).meta({
    description: 'Where published ports of a namespace go. Absent: to 127.0.0.1, ports 1024-65535.',
  }),
  networks: networks.nullable().prefault(null).meta({
    description:
      'The networks of a namespace. Absent: a /26 of 10.128.0.0/9 each, the subnets that the policies allow, and none that is shared.',
  }),
  builds: builds.nullable().prefault(null).meta({
    description:
      'What builds may do. Absent: as the defaults below say, but for as long as they take; without a namespace only the policies say.',
  }),
  cache: yesOrNo().prefault(false).meta({ description: 'Whether containers made here are pointed to the cache.' }),
  jobSocket: jobSocket.nullable().prefault(null).meta({
    description: "Containers that ask for the engine's socket get one of their own. Absent: none.",
  }),
});
