/** The engine that `docker` itself would talk to, from the environment. */

/** Text that YAML reads back as it is, whatever is in it. */
export const quoted = (text: string): string => JSON.stringify(text);

export const defaultEngineSocket = '/var/run/docker.sock';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EngineOfEnvironment {
  readonly url: string;
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** `ourSocket`: who pasted our own DOCKER_HOST line into the shell that starts us would make us our own engine. */
export function engineOfEnvironment(env: Environment, ourSocket: string): EngineOfEnvironment {
  const given = env.DOCKER_HOST;
  if (!given || given === `unix://${ourSocket}`) return { url: `unix://${defaultEngineSocket}` };
  if (!env.DOCKER_TLS_VERIFY || !given.startsWith('tcp://')) return { url: given };
  const folder = env.DOCKER_CERT_PATH || `${env.HOME ?? ''}/.docker`;
  return { url: given, tls: { ca: `${folder}/ca.pem`, cert: `${folder}/cert.pem`, key: `${folder}/key.pem` } };
}

/** The `engines` of a configuration, as YAML. */
export function engineYaml({ url, tls }: EngineOfEnvironment): string {
  const lines = ['engines:', '  - name: local', `    url: ${quoted(url)}`];
  if (tls !== undefined)
    lines.push(`    tls: { ca: ${quoted(tls.ca)}, cert: ${quoted(tls.cert)}, key: ${quoted(tls.key)} }`);
  return lines.join('\n');
}
