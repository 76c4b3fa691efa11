/** Registries, the images that are shared, and the way out to other servers. */

import { z } from 'zod';
import { cidr, hostPort, httpListenUrl, httpUrl, registryHost } from './addresses.ts';
import { yesOrNo } from './field.ts';
import { file, listOf, nameGlob, word } from './names.ts';
import { duration } from './quantities.ts';

const upstream = z.strictObject({
  host: registryHost().meta({ description: 'The registry as image names spell it.' }),
  url: httpUrl()
    .meta({
      description:
        'Where it really is. Default: `https://` and its host. Where it is an address, its certificate may be for the host instead.',
    })
    .optional(),
  ca: file().meta({ description: 'The CA, PEM, of its certificate. Default: the CAs of the machine.' }).optional(),
  private: yesOrNo()
    .prefault(false)
    .meta({ description: 'Whether each client needs the right to an image, also to one that is cached.' }),
  credentials: file()
    .meta({
      description:
        'A JSON file, `{"username": …, "password": …}`: an account whose quota is used for what everybody may pull; what only that account may have is given to nobody. Not where it is `private`.',
    })
    .optional(),
  realms: listOf(registryHost()).prefault([]).meta({
    description: "Hosts outside of its own domain that may ask for the clients' credentials, as its token realm.",
  }),
});

const tagRule = z.strictObject({
  match: nameGlob().meta({ description: 'The images that the rule is for, such as `*:latest`.' }),
  fresh: duration().meta({ description: 'For how long a tag is not asked for again.' }),
});

export const registry = z.strictObject({
  upstreams: listOf(upstream).prefault([]).meta({ description: 'Registries that need more than their name.' }),
  allow: listOf(nameGlob()).prefault(['*']).meta({
    description:
      'The registries that namespaces may use, as patterns of what image names say, `docker.io` among them. Clients without a namespace are held by the policy `images`.',
  }),
  tags: listOf(tagRule).prefault([]).meta({
    description:
      'For how long tags count as fresh; the first rule that matches. A tag without a rule is checked at the registry each time, which counts against no quota.',
  }),
  stale: duration()
    .prefault('7d')
    .meta({ description: 'For how long the last good answer is given while a registry has none.' }),
  mirror: httpListenUrl().nullable().prefault(null).meta({
    description: 'Where the mirror listens: for `registry-mirrors`, `hosts.toml` with `?ns=`, and path prefixes.',
  }),
  login: httpListenUrl().nullable().prefault(null).meta({
    description:
      'A second address of the mirror, for the registry in the name alone, where clients log in: `docker login -u REGISTRY/USER`. dockerd shows credentials only to whom asks for them at first, and would show those of Docker Hub to a mirror that did.',
  }),
  proxy: httpListenUrl().nullable().prefault(null).meta({
    description:
      'Where the CONNECT proxy listens, with `/ca.crt` and `/setup/…`: TLS ends here for Docker Hub and the registries in `upstreams`.',
  }),
  tunnel: listOf(nameGlob()).prefault([]).meta({
    description:
      'Other hosts that may be reached through the proxy, untouched, as patterns of `HOST:PORT`. Where registries ask for credentials can always be.',
  }),
  impersonate: hostPort(1).nullable().prefault(null).meta({
    description:
      'Where TLS ends for the same registries without a proxy, for hosts whose DNS sends their names here: usually port 443. Say `url` for each.',
  }),
});

export const images = z.strictObject({
  shared: listOf(nameGlob()).prefault([]).meta({
    description:
      "The engine's own images that every namespace may use, read-only, under their own name: `busybox` or `busybox:1.36`.",
  }),
});

export const outbound = z.strictObject({
  proxy: httpUrl()
    .nullable()
    .prefault(null)
    .meta({ description: "The site's own proxy for requests to other servers." }),
  noProxy: listOf(word('a host, or a domain that begins with a dot')).prefault([]).meta({
    description:
      'Hosts that are reached without the proxy; one that begins with a dot stands for a domain and all below it.',
  }),
  ca: file()
    .nullable()
    .prefault(null)
    .meta({ description: "The site's own CA, PEM, in addition to those of the machine." }),
  allowPrivate: listOf(cidr())
    .prefault([])
    .meta({ description: 'Private networks that requests may go to. Everything else inside is out of reach.' }),
});
