/** Where systems keep what they trust: the real files, not the links to them. */

/** Files with many certificates, PEM. */
export const BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Alpine, Arch
  '/etc/ssl/cert.pem', // Alpine without its package of certificates
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt', // older Fedora and RHEL
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', // Fedora, RHEL
  '/var/lib/ca-certificates/ca-bundle.pem', // openSUSE, SLES
];

/** Where one looks that has none of them: Go, curl, OpenSSL as most build it. */
export const USUAL_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';

export interface AnchorFolder {
  readonly folder: string;
  readonly suffix: string;
}

/** Where update-ca-certificates and update-ca-trust look for what a site adds. */
export const LOCAL_ANCHORS: AnchorFolder = { folder: '/usr/local/share/ca-certificates', suffix: '.crt' };
export const ANCHORS: readonly AnchorFolder[] = [
  LOCAL_ANCHORS,
  { folder: '/etc/pki/ca-trust/source/anchors', suffix: '.pem' },
  { folder: '/etc/pki/trust/anchors', suffix: '.pem' },
];

/** Folders in which OpenSSL looks a certificate up by its hash. */
export const USUAL_HASHED = '/etc/ssl/certs';
export const HASHED: readonly string[] = [
  USUAL_HASHED,
  '/etc/pki/ca-trust/extracted/pem/directory-hash',
  '/var/lib/ca-certificates/pem',
  '/var/lib/ca-certificates/openssl',
];

const KEY_STORES: readonly string[] = [
  '/etc/ssl/certs/java/cacerts',
  '/etc/pki/ca-trust/extracted/java/cacerts',
  '/var/lib/ca-certificates/java-cacerts',
];

/** Java's, by what the image says of itself. */
export function keyStores(environment: readonly string[]): readonly string[] {
  const home = environment.find((one) => one.startsWith('JAVA_HOME='))?.slice('JAVA_HOME='.length) ?? '';
  const clean = home.replace(/\/+$/, '');
  if (!/^\/[^\0]+$/.test(clean) || clean.split('/').includes('..')) return KEY_STORES;
  return [...KEY_STORES, `${clean}/lib/security/cacerts`, `${clean}/jre/lib/security/cacerts`];
}

/** Whether something that is mounted there lies over one of the places, or a place within it. */
export function coversTrust(mounted: readonly string[]): boolean {
  const places = [...BUNDLES, ...HASHED];
  return mounted.some((target) => places.some((place) => within(place, target)));
}

export function within(path: string, folder: string): boolean {
  const base = folder.replace(/\/+$/, '');
  return path === base || path.startsWith(`${base}/`);
}

/** `berthgate-0123456789abcdef` of the root `Berthgate cache 0123456789abcdef`. */
export function fileNameOf(rootName: string): string {
  return `berthgate-${rootName.split(' ').at(-1)}`;
}

/** Also as Alpine's update-ca-certificates calls its links. */
export const OWN_FILE = /(^|\/)(ca-cert-)?berthgate(-[0-9a-f]{16})?\.(crt|pem)$/;
