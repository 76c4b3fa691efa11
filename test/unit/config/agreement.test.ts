import { tcp, testCases, unix, whole } from './fault-cases.ts';

testCases({
  'authenticators and policies': [
    ['no authenticator', unix('auth: []'), '4:12: listeners[0].auth: must have at least one entry'],
    [
      'an unknown authenticator',
      unix('auth: [peeer]'),
      '4:13: listeners[0].auth[0]: unknown authenticator `peeer`, did you mean `peer`?',
    ],
    [
      'an unknown policy',
      unix('policies: [{use: limit}]'),
      '4:17: listeners[0].policies[0]: unknown policy `limit`, did you mean `limits`?',
    ],
    [
      'an unknown policy of job sockets',
      unix('jobSocket: {policies: [nope]}'),
      '4:29: listeners[0].jobSocket.policies[0]: unknown policy `nope`',
    ],
    [
      'job sockets of a listener that shows the engine as it is',
      unix('namespace: null, jobSocket: {}'),
      '4:34: listeners[0].jobSocket: needs a `namespace`: a socket belongs to the container of somebody',
    ],
    [
      'an entry that says not what to use',
      unix('policies: [{memory: 4GiB}]'),
      '4:17: listeners[0].policies[0].use: is missing',
    ],
    [
      'an entry that is a number',
      unix('auth: [5]'),
      '4:13: listeners[0].auth[0]: must be a name, or a map such as {use: NAME}, not 5',
    ],
    [
      'an entry that is neither name nor module',
      unix('auth: ["x y"]'),
      '4:13: listeners[0].auth[0]: must be a name, such as peer, or the path of a module, such as ./my-plugin.js, not "x y"',
    ],
    ['peer over TCP', tcp('auth: [peer]'), '4:13: listeners[0].auth[0]: peer is for unix sockets only: TCP has no uid'],
    ['peer by default over TCP', tcp(), '3:5: listeners[0].auth[0]: peer is for unix sockets only: TCP has no uid'],
    [
      'client certificates without a CA',
      tcp('auth: [client-cert]', 'tls: {cert: a, key: b}'),
      '4:13: listeners[0].auth[0]: client-cert needs `tls` with a `clientCa`',
    ],
  ],
  'what does not go together': [
    [
      'two engines of one name',
      `${unix().replace(']', ', {name: local, url: "unix:///e"}]')}`,
      '1:60: engines[1].name: "local" is already the name of engines[0]',
    ],
    [
      'two listeners of one name',
      `${unix()}  - {name: people, url: "unix:///c"}\n`,
      '4:12: listeners[1].name: "people" is already the name of listeners[0]',
    ],
    [
      'two listeners on one socket',
      `${unix()}  - {name: two, url: "unix:///run/b.sock"}\n`,
      '4:22: listeners[1].url: "unix:///run/b.sock" is already the url of listeners[0]',
    ],
    [
      'an engine that is not there',
      unix('engine: locla'),
      '4:14: listeners[0].engine: there is no engine "locla", did you mean `local`?',
    ],
    [
      'no way to choose an engine',
      unix('namespace: null').replace(']', ', {name: b, url: "unix:///e"}]'),
      '3:5: listeners[0]: without a namespace nothing chooses among 2 engines: name one with `engine`',
    ],
    ['TLS on a unix socket', unix('tls: {cert: a, key: b}'), '4:11: listeners[0].tls: a unix socket has no TLS'],
    [
      'TLS towards a unix socket',
      unix().replace('sock"', 'sock", tls: {ca: x}'),
      '1:57: engines[0].tls: a unix socket has no TLS',
    ],
    [
      'a certificate without its key',
      unix().replace('unix:///run/d.sock"', 'tcp://h:1", tls: {ca: x, cert: y}'),
      '1:48: engines[0].tls: `cert` needs its `key`',
    ],
    [
      'a key without its certificate',
      unix().replace('unix:///run/d.sock"', 'tcp://h:1", tls: {ca: x, key: y}'),
      '1:48: engines[0].tls: `key` needs its `cert`',
    ],
    [
      'a mode of a TCP port',
      tcp('mode: "0600"', 'auth: [anonymous]'),
      '4:12: listeners[0].mode: is for unix:// only, and this listener is tcp://',
    ],
    [
      'required certificates of no CA',
      tcp('tls: {cert: a, key: b, clientCert: require}', 'auth: [anonymous]'),
      '4:41: listeners[0].tls.clientCert: needs a `clientCa`',
    ],
    [
      'trust without certificates',
      unix('trust: {clients: [front.example.org]}'),
      '4:13: listeners[0].trust: needs `tls` with a `clientCa`: a front instance is known by its certificate',
    ],
    [
      'a label that chooses the namespace without being trusted',
      unix('namespace: "{label.ci.job}"'),
      '4:17: listeners[0].namespace: {label.ci.job} needs `trustLabels: true`',
    ],
    [
      'networks larger than their pool',
      unix('networks: {pools: [10.0.0.0/28]}'),
      '4:25: listeners[0].networks.pools[0]: is smaller than one network of `size` 26',
    ],
    [
      'networks without room',
      unix('networks: {size: 31}'),
      '4:23: listeners[0].networks.size: a network of ipv4 with room for a container has at most 30 bits of prefix',
    ],
    [
      'networks of IPv6 larger than their pool',
      unix('networks: {pools: [10.0.0.0/8, "fd00:1::/65"]}'),
      '4:37: listeners[0].networks.pools[1]: is smaller than one network of a /64',
    ],
    [
      'networks of IPv6 alone',
      unix('networks: {pools: ["fd00:1::/48"]}'),
      '4:24: listeners[0].networks.pools: has no pool of ipv4, which every network needs',
    ],
    [
      'the default network shared by everybody',
      unix('networks: {shared: [ingress, bridge]}'),
      '4:35: listeners[0].networks.shared[1]: bridge is a network that nobody can share',
    ],
    [
      'ports of namespaces where there are none',
      unix('namespace: null, ports: {}'),
      '4:30: listeners[0].ports: is for a listener with a `namespace`',
    ],
    [
      'namespaces that would go in the middle of a build',
      whole('gc: {idleNamespaces: 23h}'),
      '4:22: gc.idleNamespaces: must be a day at least',
    ],
    ['a disk that is full before it is', whole('gc: {high: 50%}'), '4:5: gc.low: must be less than `high`'],
    [
      'one address for two purposes',
      whole('cache: {address: [10.0.0.1], passAddress: [10.0.0.1]}'),
      '4:44: cache.passAddress[0]: is among `address` already',
    ],
    [
      'a CA that is never replaced in time',
      whole('cache: {ca: {life: 1d}}'),
      '4:13: cache.ca.rotate: must be less than `life`',
    ],
    [
      'a dashboard for everybody',
      whole('admin: {url: "tcp://0.0.0.0:9351"}'),
      '4:14: admin.url: over TCP it needs `tls` and `auth`',
    ],
  ],
});
