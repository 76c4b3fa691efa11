import { listener, tcp, testCases, unix, whole } from './fault-cases.ts';

testCases({
  addresses: [
    [
      'a listener of another scheme',
      listener('http://x:1'),
      '3:25: listeners[0].url: must be unix:///PATH, tcp://HOST:PORT or fd://NAME, not "http://x:1"',
    ],
    [
      'a relative socket',
      listener('unix://b.sock'),
      '3:25: listeners[0].url: unix:// needs an absolute path: unix:///run/…',
    ],
    [
      'a socket whose path would be cut off',
      listener(`unix:///${'x'.repeat(107)}`),
      '3:25: listeners[0].url: the path of a socket has at most 107 bytes',
    ],
    [
      'TCP without a port',
      listener('tcp://0.0.0.0'),
      '3:25: listeners[0].url: "0.0.0.0" is not HOST:PORT (an IPv6 address stands in brackets)',
    ],
    [
      'TCP with a port that is none',
      listener('tcp://0.0.0.0:70000'),
      '3:25: listeners[0].url: the port must be from 0 to 65535',
    ],
    [
      'TCP at what only looks like an address',
      listener('tcp://127.1:80'),
      '3:25: listeners[0].url: "127.1" is neither a host name nor an address',
    ],
    [
      'IPv6 without brackets',
      listener('tcp://::1:80'),
      '3:25: listeners[0].url: "::1:80" is not HOST:PORT (an IPv6 address stands in brackets)',
    ],
    [
      'an inherited socket without a name',
      listener('fd://'),
      '3:25: listeners[0].url: fd:// needs a name of letters and digits',
    ],
    [
      'an engine over ssh',
      unix().replace('unix:///run/d.sock', 'ssh://x'),
      '1:30: engines[0].url: must be unix:///PATH or tcp://HOST:PORT, not "ssh://x"',
    ],
    [
      'a gateway that no name of an image can speak of',
      unix().replace('unix:///run/d.sock', 'unix:///run/d.sock", gateway: "[::1]:5350'),
      '1:61: engines[0].gateway: names of images have no IPv6 address: write an IPv4 address',
    ],
    [
      'a gateway at every address',
      unix().replace('unix:///run/d.sock', 'unix:///run/d.sock", gateway: "0.0.0.0:5350'),
      '1:61: engines[0].gateway: 0.0.0.0 is every address: write the one that the engine reaches',
    ],
    [
      'an address inside a network',
      unix('networks: {allowed: [10.0.0.5/8]}'),
      '4:27: listeners[0].networks.allowed[0]: 10.0.0.5/8 is an address inside a network: write the network, or /32 for one address',
    ],
    [
      'an IPv6 address inside a network',
      unix('networks: {allowed: ["fd00::1/64"]}'),
      '4:27: listeners[0].networks.allowed[0]: fd00::1/64 is an address inside a network: write the network, or /128 for one address',
    ],
    [
      'a network that is none',
      whole('outbound: {allowPrivate: [10.0.0.0/33]}'),
      '4:27: outbound.allowPrivate[0]: must be a network such as 10.128.0.0/9, not "10.0.0.0/33"',
    ],
    [
      'an address of published ports that is none',
      unix('ports: {address: bridge}'),
      '4:23: listeners[0].ports.address: must be an IP address of the host, or gateway, not "bridge"',
    ],
    [
      'credentials in a URL',
      whole('outbound: {proxy: "http://a:b@p.example.org"}'),
      '4:19: outbound.proxy: holds credentials: put them into a file',
    ],
    [
      'a query in a URL',
      whole('registry: {upstreams: [{host: r.org, url: "http://r.org/?x"}]}'),
      '4:43: registry.upstreams[0].url: must have neither a query nor a fragment',
    ],
    [
      'a registry with a path',
      whole('registry: {upstreams: [{host: r.org/x}]}'),
      '4:31: registry.upstreams[0].host: must be the host of a registry, such as r.example.org:5000, not "r.org/x"',
    ],
    [
      'a host that is none',
      whole('cache: {hosts: ["a b"]}'),
      '4:17: cache.hosts[0]: must be a host name, or *.example.org for all below it, not "a b"',
    ],
    [
      'a path where metrics listen',
      whole('admin: {metrics: "http://127.0.0.1:9350/m"}'),
      '4:18: admin.metrics: "127.0.0.1:9350/m" is not HOST:PORT (an IPv6 address stands in brackets)',
    ],
    ['a bucket that is none', whole('cache: {store: "s3://X"}'), '4:16: cache.store: is no s3://BUCKET/PREFIX'],
  ],
  'names and patterns': [
    [
      'a name of other letters',
      unix().replace('people', 'People_'),
      '3:12: listeners[0].name: must be a name of a-z, 0-9 and - (at most 32, no - at the ends), not "People_"',
    ],
    [
      'an unknown placeholder',
      unix('namespace: "{usr}"'),
      '4:17: listeners[0].namespace: unknown placeholder {usr}, did you mean `user`?',
    ],
    [
      'a placeholder that resembles none',
      unix('namespace: "{zzzzz}"'),
      '4:17: listeners[0].namespace: unknown placeholder {zzzzz}: there are {user}, {group}, {listener}, {claim.NAME} and {label.KEY}',
    ],
    [
      'an open placeholder',
      unix('namespace: "{user"'),
      '4:17: listeners[0].namespace: must be a template such as "{user}", not "{user"',
    ],
    [
      'a pattern with three stars',
      whole('images: {shared: ["a***"]}'),
      '4:19: images.shared[0]: the pattern has three stars in a row',
    ],
    [
      'a pattern without end',
      whole(`images: {shared: ["${'a'.repeat(600)}"]}`),
      '4:19: images.shared[0]: the pattern is longer than 512 characters',
    ],
    ['an empty file name', whole('log: {audit: ""}'), '4:14: log.audit: must be a path, not ""'],
    [
      'a header that is none',
      tcp('tls: {cert: a, key: b, clientCa: c}, auth: [client-cert]', 'trust: {clients: [a], header: "X Y"}'),
      '5:36: listeners[0].trust.header: must be the name of a header, not "X Y"',
    ],
    [
      'an owner that is none',
      unix('owner: -1'),
      '4:13: listeners[0].owner: must be the name or number of a user, not -1',
    ],
  ],
});
