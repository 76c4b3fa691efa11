/** What `conservative` decides, by what the table says of a value and of an endpoint. Nothing else is decided anywhere. */

import type { Risk } from '../../../docker/endpoint.ts';
import type { Kind, Mark, Reach } from '../../../docker/marks.ts';

/**
 * `pass`; `refuse` unless the administrator has listed the value; `bound`: made harmless before, and refused where it is
 * not; `borrow`: what it names is looked at; `borrowed`: passes where the same word is looked at; `mount`: by the listed
 * binds; `publish`, `subnet`, `registry`: by the option of that name; `leave out`.
 */
export type Treatment =
  | 'pass'
  | 'refuse'
  | 'bound'
  | 'borrow'
  | 'borrowed'
  | 'mount'
  | 'publish'
  | 'subnet'
  | 'registry'
  | 'leave out';

/** `asked`: said by the client. `lent`: how a thing was made that the client uses, perhaps by somebody else. */
export interface Decision {
  readonly asked: Treatment;
  readonly lent: Treatment;
}

const passes: Decision = { asked: 'pass', lent: 'pass' };
const refused: Decision = { asked: 'refuse', lent: 'refuse' };
/** Who uses the thing gets no more by it than the thing has already. */
const refusedWhereAsked: Decision = { asked: 'refuse', lent: 'pass' };

const byReach: Readonly<Record<Reach, Decision>> = {
  root: refused,
  capability: refused,
  device: refused,
  'host-namespace': refused,
  'join-namespace': { asked: 'borrowed', lent: 'borrowed' },
  confinement: refused,
  kernel: refused,
  runtime: refused,
  driver: refused,
  builder: refused,
  cluster: refused,
  cgroup: refusedWhereAsked,
  logging: refusedWhereAsked,
  'link-layer': refusedWhereAsked,
  shared: refusedWhereAsked,
  routes: { asked: 'subnet', lent: 'pass' },
  // The object around it was bounded before; what is left was not.
  lifetime: refusedWhereAsked,
};

const byKind: Readonly<Record<Kind, Decision>> = {
  container: passes,
  exec: passes,
  image: passes,
  volume: passes,
  network: passes,
  build: passes,
  // Only in filters: what makes or changes them is refused as a whole.
  plugin: passes,
  service: passes,
  task: passes,
  node: passes,
  secret: passes,
  config: passes,
  session: passes,
  checkpoint: refused,
};

const byMark: Readonly<Record<Exclude<Mark['mark'], 'privilege' | 'uses' | 'makes'>, Decision>> = {
  own: passes,
  labels: passes,
  env: passes,
  credential: passes,
  prose: passes,
  address: passes,
  reveals: passes,
  borrows: { asked: 'borrow', lent: 'borrow' },
  'host-path': { asked: 'mount', lent: 'mount' },
  resource: { asked: 'bound', lent: 'pass' },
  fetches: { asked: 'registry', lent: 'pass' },
  publishes: { asked: 'publish', lent: 'pass' },
  'swarm-only': { asked: 'leave out', lent: 'pass' },
};

/** What nobody has decided yet is refused. */
export function decisionOn(mark: Mark): Decision {
  switch (mark.mark) {
    case 'privilege':
      return byReach[mark.reach] ?? refused;
    case 'uses':
    case 'makes':
      return byKind[mark.kind] ?? refused;
    default:
      return byMark[mark.mark] ?? refused;
  }
}

const byRisk: Readonly<Record<Risk, 'judged' | 'refused'>> = {
  ping: 'judged',
  read: 'judged',
  write: 'judged',
  exec: 'judged',
  build: 'judged',
  transfer: 'judged',
  cluster: 'refused',
  tunnel: 'refused',
  never: 'refused',
};

export function isServed(risk: Risk): boolean {
  return byRisk[risk] === 'judged';
}
