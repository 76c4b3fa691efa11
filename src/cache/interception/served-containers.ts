/**
 * What makes containers ask the cache: the last policy of a listener with `cache`. Their names for the cached hosts lead to
 * the cache, they trust its CA, and neither is seen in what their client is told, or keeps of them.
 */

import { withBuildHosts } from '../../docker/buildkit-requests.ts';
import { type CallPath, printPlace, valueAt, withValueAt } from '../../docker/call-place.ts';
import { EXTRA_TRUST, environmentIn, NO_EXTRA_TRUST, saysExtraTrust } from '../../docker/extra-trust.ts';
import {
  answeredId,
  hasOwnHosts,
  hasReadOnlyRoot,
  imageOf,
  madeContainer,
  mountTargets,
  withoutChanges,
} from '../../docker/redirected-create.ts';
import { CACHE_LABEL } from '../../docker/reserved-labels.ts';
import { entriesOf, placeOfSetting, subjectOf } from '../../docker/settings.ts';
import type { Call } from '../../exchange/call.ts';
import type { Policy, PolicyContext, PolicyLog, Verdict } from '../../exchange/policy.ts';
import { isObject, type JsonObject } from '../../ground/json.ts';
import type { CachedHost } from './front.ts';
import type { ContainerTrust } from './trust/container-trust.ts';
import { coversTrust, OWN_FILE, within } from './trust/places.ts';

/** What containers are pointed to, as it is now. */
export interface Redirection {
  readonly hosts: readonly CachedHost[];
  /** Where TLS is ended; empty where nothing is redirected. */
  readonly addresses: readonly string[];
  /** Where it passes untouched; empty where nothing that does not trust us is redirected. */
  readonly passAddresses: readonly string[];
}

export interface ServedContainersOptions {
  readonly redirection: () => Redirection;
  /** Resolves when it is known where containers are pointed to; null where it is. */
  readonly beginning: () => Promise<void> | null;
  readonly trust: ContainerTrust;
  readonly log: PolicyLog;
}

const MADE = 201;
/** What is to be served has to know where. */
const WAITING: ReadonlySet<string> = new Set([
  'ContainerCreate',
  'ImageBuild',
  'BuildkitSolve',
  'BuildkitBridgeSolve',
  'ContainerStart',
  'ContainerRestart',
]);

export class ServedContainers implements Policy {
  readonly name = 'cache';
  private readonly options: ServedContainersOptions;

  constructor(options: ServedContainersOptions) {
    this.options = options;
  }

  judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
    const beginning = WAITING.has(call.endpoint.id) ? this.options.beginning() : null;
    return beginning === null ? this.serve(call, context) : beginning.then(() => this.serve(call, context));
  }

  private serve(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
    switch (call.endpoint.id) {
      case 'ContainerCreate':
        return this.create(call, context);
      case 'ImageBuild':
        return this.redirect(call, this.options.redirection().passAddresses);
      case 'BuildkitSolve':
      case 'BuildkitBridgeSolve':
        return this.build(call);
      case 'ContainerStart':
      case 'ContainerRestart':
        return this.refresh(call, context);
      case 'ImageCommit':
        return this.commit(call, context);
      case 'ContainerExport':
        return this.export(call, context);
      case 'ContainerChanges':
        return this.changes(call, context);
      default:
        return unchanged(call);
    }
  }

  private create(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
    const { body } = call;
    if (!isObject(body) || !hasOwnHosts(body)) return unchanged(call);
    const { addresses, passAddresses, hosts } = this.options.redirection();
    const trusting = !hasReadOnlyRoot(body) && !coversTrust(mountTargets(body));
    const verdict = this.redirect(call, trusting ? addresses : passAddresses);
    const intercepted = hosts.some(({ tls }) => tls === 'intercept');
    return trusting && verdict.changes.length > 0 && intercepted ? this.trust(verdict, body, context) : verdict;
  }

  private async trust(verdict: Verdict, body: JsonObject, context: PolicyContext): Promise<Verdict> {
    const onAnswer: Verdict['onAnswer'] = async (answer, status) => {
      if (status === MADE) await this.put(answeredId(answer), (id) => this.options.trust.putFirst(id));
    };
    const { call } = verdict;
    const place = placeOfSetting(call.endpoint.id, 'env') as CallPath;
    const said = entriesOf(valueAt(call, place));
    // A variable of a container goes over that of its image.
    const image = saysExtraTrust(said) ? null : await context.lookUp('ImageInspect', { name: imageOf(body) });
    const told = image !== null && !saysExtraTrust(environmentIn(image));
    const to = [...said, EXTRA_TRUST];
    const change = { rule: 'trusted', place: printPlace(place), from: [...said], to, warning: null, given: null };
    return {
      ...verdict,
      call: told ? withValueAt(call, place, to) : call,
      changes: told ? [...verdict.changes, change] : verdict.changes,
      labels: { [CACHE_LABEL]: 'trust' },
      onAnswer,
    };
  }

  /** Steps of BuildKit, which trust nobody but whom their image does. */
  private build(call: Call): Verdict {
    const { hosts, passAddresses } = this.options.redirection();
    const to = entriesFor(hosts, passAddresses);
    const redirected = withBuildHosts(call, to);
    if (redirected === call) return unchanged(call);
    const change = { rule: 'redirected', place: 'add-hosts', from: null, to, warning: null, given: null };
    return { call: redirected, rule: 'redirected', changes: [change] };
  }

  private redirect(call: Call, addresses: readonly string[]): Verdict {
    const place = placeOfSetting(call.endpoint.id, 'extra-hosts');
    if (place === null || addresses.length === 0) return unchanged(call);
    const said = valueAt(call, place) ?? null;
    const before = entriesOf(said);
    const own = new Set(before.map((entry) => subjectOf('extra-hosts', entry)));
    // What a client points elsewhere itself is its own affair.
    const hosts = this.options.redirection().hosts.filter(({ host }) => !own.has(host));
    const added = entriesFor(hosts, addresses);
    if (added.length === 0) return unchanged(call);
    const to = [...before, ...added];
    const given = place[0] === 'body' ? place.slice(1) : null;
    const change = { rule: 'redirected', place: printPlace(place), from: said, to, warning: null, given };
    return { call: withValueAt(call, place, to), rule: 'redirected', changes: [change] };
  }

  /** What it was given may be over, or its CA another one than when it was made. */
  private async refresh(call: Call, context: PolicyContext): Promise<Verdict> {
    const container = await this.trusting(context, call.parameters.id ?? '');
    if (container !== null) await this.put(container.id, (id) => this.options.trust.renew(id));
    return unchanged(call);
  }

  private async export(call: Call, context: PolicyContext): Promise<Verdict> {
    const container = await this.trusting(context, call.parameters.id ?? '');
    if (container === null) return unchanged(call);
    const { putBack } = await this.options.trust.takeOut(container, false);
    return { ...unchanged(call), onEnd: () => void this.put(container.id, putBack) };
  }

  /** Where the engine is to pause the container, we do: it never runs without what it trusts. */
  private async commit(call: Call, context: PolicyContext): Promise<Verdict> {
    const container = await this.trusting(context, String(call.query.container ?? ''));
    if (container === null) return unchanged(call);
    const { paused, putBack } = await this.options.trust.takeOut(container, call.query.pause !== false);
    let back: Promise<void> | null = null;
    const putBackOnce = (): Promise<void> => {
      back ??= this.put(container.id, putBack);
      return back;
    };
    const { changes } = call.query;
    const query = {
      ...call.query,
      ...(paused ? { pause: false } : {}),
      // What the client says of it itself stands behind, and counts.
      ...(container.environment.includes(EXTRA_TRUST) ? { changes: [NO_EXTRA_TRUST, ...entriesOf(changes)] } : {}),
    };
    return {
      ...unchanged({ ...call, query }),
      // Engines go on with what nobody waits for any more, and it is to be kept from that, too.
      finishes: true,
      // Who has the answer may use the container at once.
      onAnswer: putBackOnce,
      onEnd: () => void putBackOnce(),
    };
  }

  private async changes(call: Call, context: PolicyContext): Promise<Verdict> {
    const container = await this.trusting(context, call.parameters.id ?? '');
    if (container === null) return unchanged(call);
    const { files, folders: remade } = await this.options.trust.touched(container);
    // Who looks for what a job has changed does not mean a folder that was put together again as it was.
    const isOurs = (path: string, isAlsoInImage: boolean): boolean =>
      files.get(path) ??
      (OWN_FILE.test(path) || (isAlsoInImage && remade.some((folder) => path !== folder && within(path, folder))));
    const folders = [...remade, ...[...files.keys()].map((path) => path.slice(0, path.lastIndexOf('/')))];
    return { ...unchanged(call), show: (answer) => withoutChanges(answer, isOurs, folders) };
  }

  private async trusting(context: PolicyContext, id: string) {
    if (id === '') return null;
    const container = madeContainer(await context.lookUp('ContainerInspect', { id }));
    return container?.trusting === true ? container : null;
  }

  /** A container without our CA is served all the same: after some handshakes it is passed through. */
  private async put(id: string, work: (id: string) => Promise<void>): Promise<void> {
    try {
      if (id !== '') await work(id);
    } catch (fault) {
      this.options.log.warn(
        { container: id, reason: (fault as Error).message },
        'cache: the CA could not be put there',
      );
    }
  }
}

/** `NAME:ADDRESS`. A file of hosts has no patterns. */
function entriesFor(hosts: readonly CachedHost[], addresses: readonly string[]): readonly string[] {
  const names = hosts.map(({ host }) => host).filter((host) => !host.startsWith('*.'));
  return names.flatMap((host) => addresses.map((address) => `${host}:${address}`));
}

function unchanged(call: Call): Verdict {
  return { call, rule: 'nothing-to-redirect', changes: [] };
}
