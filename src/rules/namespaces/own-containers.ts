/** What takes more than one call of the engine to do with a container of a namespace: whole, or ended by the ledger. */

import { withMounts } from '../../docker/asked-sockets.ts';
import { connectedContainer, withConnect } from '../../docker/container-create.ts';
import { fillIn } from '../../docker/create-defaults.ts';
import { joining } from '../../docker/joined-endpoint.ts';
import { lentMount, printLent, SUBPATH_SINCE } from '../../docker/lent-paths.ts';
import { madeId } from '../../docker/own-requests.ts';
import { LENT_LABEL, withLabels } from '../../docker/reserved-labels.ts';
import { socketPathsOf } from '../../docker/socket-note.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Passage } from '../../exchange/namespacing.ts';
import type { Json, JsonObject } from '../../ground/json.ts';
import { makeLentFolders } from '../../jobs/lend-paths.ts';
import type { SocketGiver } from '../../jobs/socket-giver.ts';
import type { EngineSide } from './engine-side.ts';
import { clientName, DEFAULT_NETWORK } from './names.ts';
import type { OwnCreate } from './own-create.ts';
import type { OwnNetwork } from './own-network.ts';
import { OwnStart } from './own-start.ts';
import type { Passages } from './passages.ts';
import type { Spoken } from './prose.ts';
import { type Resolved, RULE } from './references.ts';
import type { SharedNetworks } from './shared-networks.ts';
import { type Awaiting, removeVolumes, unnamedOf } from './volumes.ts';

export interface Around {
  readonly network: OwnNetwork;
  readonly creates: OwnCreate;
  readonly shared: SharedNetworks;
  readonly passages: Passages;
  readonly sockets: SocketGiver | null;
}

/** What a create with a socket has with it. */
interface Having {
  readonly learn: (answer: Json) => void;
  readonly volumes: Awaiting | null;
  readonly sockets: SocketGiver;
}

/** An engine copies what the image has at the places of volumes. */
const CREATE_MS = 600_000;

export class OwnContainers {
  private readonly namespace: string;
  private readonly side: EngineSide;
  private readonly creates: OwnCreate;
  private readonly starts: OwnStart;
  private readonly shared: SharedNetworks;
  private readonly passages: Passages;
  private readonly sockets: SocketGiver | null;

  constructor(namespace: string, side: EngineSide, { network, creates, shared, passages, sockets }: Around) {
    this.namespace = namespace;
    this.side = side;
    this.creates = creates;
    this.starts = new OwnStart(namespace, side, network, shared);
    this.shared = shared;
    this.passages = passages;
    this.sockets = sockets;
  }

  async create(named: Call, spoken: readonly Spoken[]): Promise<Passage> {
    await this.shared.refuseChoices(named);
    const { call: made, volumes } = await this.creates.after(named, defaultsIn(spoken));
    const call = await this.lend(this.shared.withoutNames(made)).catch(async (fault: unknown) => {
      await volumes?.ended(false).catch(() => {});
      throw fault;
    });
    const learn = (answer: Json): void => {
      const id = madeId(answer);
      if (id !== '')
        this.side.directory.learn(this.namespace, { kind: 'container', id, name: String(call.query.name) });
    };
    if (call.sockets !== undefined && this.sockets !== null) {
      return this.createWithSocket(call, spoken, { learn, volumes, sockets: this.sockets });
    }
    const passed = this.passages.passage(call, spoken, learn);
    const told = (document: Json, status: number): Json | undefined => {
      // What was made for a container that is not to be goes again; where that fails, a sweep does it.
      void volumes?.ended(status < 400).catch(() => {});
      return passed.names.told(document, status);
    };
    return { ...passed, names: { ...passed.names, told } };
  }

  /** With the directories of its caller that it mounts. */
  private async lend(call: Call): Promise<Call> {
    const { lent, caller, body, version } = call;
    if (lent === undefined || caller === undefined) return call;
    await makeLentFolders(this.side.desk, caller, lent);
    const lending = withLabels(withMounts(body as JsonObject, lent.map(lentMount)), { [LENT_LABEL]: printLent(lent) });
    if (!lent.some(({ from }) => 'volume' in from && from.subpath !== '')) return { ...call, body: lending };
    // Carried at a version that can say it, with what the older one means by saying nothing.
    const filled = fillIn(lending, { version, oldCgroups: false });
    return { ...call, body: filled.body, version: Math.max(version, SUBPATH_SINCE) };
  }

  /** The client hears of the container when the socket stands in it. */
  private async createWithSocket(
    call: Call,
    spoken: readonly Spoken[],
    { learn, volumes, sockets }: Having,
  ): Promise<Passage> {
    try {
      const given = await sockets.give(call);
      const passed = await this.passages.order(given.call, spoken, learn, async ({ query, body, version }) => {
        const order = { query, body, version, deadlineMs: CREATE_MS };
        const done = await this.side.desk.order('ContainerCreate', order).catch(async (fault: unknown) => {
          await given.failed();
          throw fault;
        });
        await (done.status < 400 ? given.made(madeId(done.answer)) : given.failed());
        return done;
      });
      void volumes?.ended(passed.answer.status < 400).catch(() => {});
      return passed;
    } catch (fault) {
      void volumes?.ended(false).catch(() => {});
      throw fault;
    }
  }

  async remove(call: Call, named: Call, resolved: Resolved, spoken: readonly Spoken[]): Promise<Passage> {
    if (call.query.link === true) throw refuse(RULE, 'link', 'must be false', { place: 'query.link' });
    const { ledger, directory, desk } = this.side;
    const [container] = resolved.values();
    const id = container?.id as string;
    const inspection = call.query.v === true ? await desk.ask('ContainerInspect', { parameters: { id } }) : null;
    const volumes = unnamedOf(this.namespace, inspection);
    if (volumes.length === 0) {
      directory.lose('container', id);
      return this.passages.passage(named, spoken);
    }
    const entry = await ledger.write({ do: 'remove', container: id, volumes });
    try {
      const done = await this.passages.order(named, spoken);
      let gone = true;
      if (done.answer.status < 400) {
        directory.lose('container', id);
        gone = await removeVolumes(this.side, volumes);
      }
      // What its job has mounted is in use until that has ended, too: a sweep removes it then.
      if (gone || socketPathsOf(inspection).length === 0) await ledger.crossOut(entry);
      return done;
    } finally {
      ledger.leave([entry]);
    }
  }

  start(named: Call, resolved: Resolved, spoken: readonly Spoken[]): Promise<Passage> {
    const [container] = resolved.values();
    return this.passages.order(named, spoken, undefined, (call) => this.starts.start(call, container?.id as string));
  }

  async connect(named: Call, spoken: readonly Spoken[]): Promise<Passage> {
    await this.shared.refuseChoices(named);
    const isDefault = defaultsIn(spoken).has(named.parameters.id as string);
    const call = this.shared.withoutNames(this.withName(named, isDefault));
    if (!isDefault) return this.passages.passage(call, spoken);
    return this.passages.order(call, spoken, undefined, (connect) => this.starts.connect(connect));
  }

  private withName(call: Call, isDefault: boolean): Call {
    const body = call.body as JsonObject;
    const name = this.side.directory.nameOf(connectedContainer(body));
    const alias = name === null ? null : clientName(this.namespace, name);
    if (alias === null) return call;
    return { ...call, body: withConnect(body, (said) => joining(said, alias, isDefault)) };
  }
}

/** How the engine was told of the default network: it may be gone, and unknown, when that is asked. */
function defaultsIn(spoken: readonly Spoken[]): ReadonlySet<string> {
  return new Set(spoken.filter(({ client }) => client === DEFAULT_NETWORK).map(({ engine }) => engine));
}
