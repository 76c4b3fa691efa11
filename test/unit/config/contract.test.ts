import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type LoadedConfig, parseConfig } from '../../../src/operate/config/index.ts';

const contract = readFileSync(new URL('./contract.yaml', import.meta.url), 'utf8');

function parse(text: string): LoadedConfig {
  const parsed = parseConfig(text, '/etc/berthgate/berthgate.yaml');
  if ('faults' in parsed) throw new Error(parsed.faults.join('\n'));
  return parsed;
}

const day = 86_400_000;
const requests = {
  head: 65_536,
  headers: 200,
  json: 8_388_608,
  depth: 64,
  connections: 1000,
  headTimeout: 10_000,
  bodyTimeout: 60_000,
};

describe('the contract', () => {
  test("parses wholly, with quantities as numbers and files from the configuration's folder", () => {
    expect(parse(contract).config).toEqual({
      state: '/var/lib/berthgate',
      engines: [
        {
          name: 'local',
          url: { kind: 'unix', path: '/var/run/docker.sock' },
          gateway: { kind: 'tcp', host: '127.0.0.1', port: 5350 },
        },
      ],
      listeners: [
        {
          name: 'people',
          url: { kind: 'unix', path: '/run/berthgate/people.sock' },
          mode: 0o666,
          auth: [{ use: 'peer', options: {} }],
          trust: null,
          namespace: '{user}',
          trustLabels: false,
          policies: [
            { use: 'conservative', options: {} },
            { use: 'limits', options: { memory: { max: '4GiB', default: '1GiB' } } },
          ],
          requests,
          ports: { address: '127.0.0.1', range: { first: 1024, last: 65_535 } },
          networks: {
            pools: [{ family: 'ipv4', address: '10.128.0.0', prefix: 9 }],
            size: 26,
            allowed: [{ family: 'ipv4', address: '172.16.0.0', prefix: 12 }],
            shared: ['ingress'],
          },
          builds: { cacheScope: '{user}', urls: [], frontends: ['docker/dockerfile'], maxTime: 7_200_000 },
          cache: true,
          jobSocket: {
            for: 'requested',
            policies: [{ use: 'conservative', options: {} }],
            groupBy: ['com.gitlab.gitlab-runner.job.id'],
            linger: 300_000,
            namespace: 'job',
          },
        },
        {
          name: 'fronts',
          url: { kind: 'tcp', host: '0.0.0.0', port: 2376 },
          tls: {
            cert: '/etc/berthgate/server.pem',
            key: '/etc/berthgate/server-key.pem',
            clientCa: '/etc/berthgate/clients.pem',
            clientCert: 'require',
          },
          auth: [
            { use: 'client-cert', options: {} },
            { use: 'basic', options: { htpasswd: 'people.htpasswd' } },
            { use: '/etc/berthgate/my-plugin.js', options: {} },
          ],
          trust: { clients: ['front.example.org'], header: 'Berthgate-Identity' },
          namespace: '{user}',
          trustLabels: false,
          policies: [{ use: 'conservative', options: {} }],
          requests,
          ports: null,
          networks: null,
          builds: null,
          cache: false,
          jobSocket: null,
        },
      ],
      help: null,
      images: { shared: ['ci-base:*'] },
      cache: {
        store: { kind: 'folder', path: '/var/cache/berthgate' },
        maxBytes: 53_687_091_200,
        address: ['172.17.0.1'],
        passAddress: ['172.17.0.2'],
        hosts: [{ host: 'archive.example.org', tls: 'intercept', origin: null }],
        rules: [
          { host: 'archive.example.org', path: '/pool/**', minFresh: 30 * day, staleIfError: 86_400_000, forward: [] },
        ],
        ca: { life: 7 * day, rotate: 2 * day },
      },
      registry: {
        upstreams: [
          {
            host: 'r.example.org:5000',
            url: 'http://10.0.0.5:5000',
            ca: '/etc/berthgate/upstream-ca.pem',
            private: true,
            credentials: '/etc/berthgate/upstream.json',
            realms: [],
          },
        ],
        allow: ['*'],
        stale: 604_800_000,
        tags: [{ match: '*:latest', fresh: 60_000 }],
        mirror: { kind: 'tcp', host: '127.0.0.1', port: 5351 },
        proxy: { kind: 'tcp', host: '127.0.0.1', port: 3128 },
        tunnel: [],
        impersonate: null,
        login: null,
      },
      outbound: { proxy: null, noProxy: [], ca: null, allowPrivate: [] },
      admin: {
        metrics: { kind: 'tcp', host: '127.0.0.1', port: 9350 },
        url: { kind: 'unix', path: '/run/berthgate/admin.sock' },
        auth: [],
      },
      firewall: {
        apply: true,
        open: [{ kind: 'tcp', host: '172.17.0.1', port: 3142 }],
        refuse: [{ family: 'ipv4', address: '169.254.0.0', prefix: 16 }],
        networks: ['bridge'],
      },
      gc: { high: 85, low: 70, keepImages: day, idleNamespaces: null },
      shutdown: { grace: 30_000 },
      log: { level: 'info', format: 'json', audit: '/var/log/berthgate/audit.jsonl' },
    });
  });

  test('has defaults that are as safe as they can be for the shortest file', () => {
    const text = 'engines: [{name: e, url: "tcp://[::1]:2375"}]\nlisteners: [{name: l, url: "fd://docker.sock"}]\n';
    expect(parse(text).config).toEqual({
      state: '/var/lib/berthgate',
      engines: [
        {
          name: 'e',
          url: { kind: 'tcp', host: '::1', port: 2375 },
          gateway: { kind: 'tcp', host: '127.0.0.1', port: 5350 },
        },
      ],
      listeners: [
        {
          name: 'l',
          url: { kind: 'fd', name: 'docker.sock' },
          auth: [{ use: 'peer', options: {} }],
          trust: null,
          namespace: '{user}',
          trustLabels: false,
          policies: [{ use: 'conservative', options: {} }],
          requests,
          ports: null,
          networks: null,
          builds: null,
          cache: false,
          jobSocket: null,
        },
      ],
      help: null,
      images: { shared: [] },
      cache: null,
      registry: {
        upstreams: [],
        allow: ['*'],
        tags: [],
        stale: 604_800_000,
        mirror: null,
        proxy: null,
        tunnel: [],
        impersonate: null,
        login: null,
      },
      outbound: { proxy: null, noProxy: [], ca: null, allowPrivate: [] },
      admin: { metrics: null, url: null, auth: [] },
      firewall: { apply: 'auto', open: [], refuse: expect.any(Array), networks: [] },
      gc: null,
      shutdown: { grace: 30_000 },
      log: { level: 'info', format: 'json', audit: null },
    });
  });

  test('takes the other forms that its comments name', () => {
    const { config } =
      parse(`engines: [{name: e, url: "tcp://engine.example.org:2376", tls: {ca: ca.pem, cert: c.pem, key: k.pem}}]
listeners:
  - name: l
    url: tcp://127.0.0.1:0
    tls: {cert: c.pem, key: k.pem, clientCa: ca.pem, clientCert: optional}
    auth: [client-cert, token, {use: jwt, issuer: "https://gitlab.example.org"}, anonymous]
    namespace: "ci-{label.com.example.project}"
    trustLabels: true
    policies: []
    engine: e
    ports: {address: gateway}
  - name: m
    url: unix:///run/m.sock
    mode: "660"
    owner: 1000
    group: docker
    namespace: null
cache:
  store: s3://bytes/of/berthgate/
  maxBytes: 1048576
  hosts: [{host: archive.example.org, tls: pass}, "*.example.org"]
`);
    expect(config.engines[0]?.tls).toEqual({
      ca: '/etc/berthgate/ca.pem',
      cert: '/etc/berthgate/c.pem',
      key: '/etc/berthgate/k.pem',
    });
    expect(config.listeners[0]).toMatchObject({
      url: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      tls: { clientCert: 'optional' },
      namespace: 'ci-{label.com.example.project}',
      policies: [],
      engine: 'e',
      ports: { address: 'gateway', range: { first: 1024, last: 65_535 } },
    });
    expect(config.listeners[1]).toMatchObject({ mode: 0o660, owner: 1000, group: 'docker', namespace: null });
    expect(config.cache?.store).toEqual({ kind: 's3', bucket: 'bytes', prefix: 'of/berthgate' });
    expect(config.cache?.hosts).toEqual([
      { host: 'archive.example.org', tls: 'pass', origin: null },
      { host: '*.example.org', tls: 'intercept', origin: null },
    ]);
  });

  test('gives values that nobody can change', () => {
    const { config } = parse(contract);
    expect(() => Object.assign(config.listeners[0]?.requests ?? {}, { json: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config.listeners[0]?.policies[1]?.options.memory ?? {}, { max: 1 })).toThrow(TypeError);
  });

  test('takes no value from the environment', () => {
    const text =
      // biome-ignore lint/suspicious/noTemplateCurlyInString: that is what the file says
      'state: "$HOME/${HOME}"\nengines: [{name: e, url: "unix:///e"}]\nlisteners: [{name: l, url: "unix:///l"}]\n';
    // biome-ignore lint/suspicious/noTemplateCurlyInString: that is what the file says
    expect(parse(text).config.state).toBe('/etc/berthgate/$HOME/${HOME}');
  });
});
