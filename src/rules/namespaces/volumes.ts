/** Volumes of a namespace: made with their owner before anything mounts them, and those without a name removed by us. */

import { randomBytes } from 'node:crypto';
import { mountedVolumes, type VolumeWish } from '../../docker/container-create.ts';
import { messageIn, thingIn } from '../../docker/named-things.ts';
import { ANONYMOUS_LABEL, ANONYMOUS_NAME, volumeRequest } from '../../docker/own-requests.ts';
import { CLAIM_LABEL, INSTALLATION_LABEL, UNTIL_LABEL } from '../../docker/reserved-labels.ts';
import { refuse } from '../../exchange/judge.ts';
import { engineName } from '../../exchange/namespacing.ts';
import { isObject, type Json } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { EngineSide } from './engine-side.ts';
import { clientName } from './names.ts';
import { labelsOf, ownerOf } from './ownership.ts';
import { RULE } from './references.ts';

const NO_WISH: VolumeWish = { driver: '', options: null, labels: {} };

/** As an engine would name a volume itself. */
export function unnamedVolume(): string {
  return randomBytes(32).toString('hex');
}

export function isUnnamed(namespace: string, name: string): boolean {
  const own = clientName(namespace, name);
  return own !== null && ANONYMOUS_NAME.test(own);
}

/** @throws Refusal in the engine's words, or where the name is another's */
export async function makeVolume(side: EngineSide, namespace: string, name: string, wish = NO_WISH): Promise<void> {
  await make(side, namespace, name, wish, isUnnamed(namespace, name) ? { [ANONYMOUS_LABEL]: '' } : {});
}

async function make(
  side: EngineSide,
  namespace: string,
  name: string,
  wish: VolumeWish,
  own: Readonly<Record<string, string>>,
): Promise<void> {
  const labels = { ...labelsOf(side, namespace), ...own };
  const { status, answer } = await side.desk.order('VolumeCreate', { body: volumeRequest(name, wish, labels) });
  if (status >= 400) {
    const message = messageIn(answer).replaceAll(`${namespace}.`, '');
    throw new Refusal(status === 404 ? 'not-found' : 'unreadable-body', message, { place: 'HostConfig' });
  }
  refuseAnothers(namespace, answer);
  side.directory.learn(namespace, { kind: 'volume', id: name, name });
}

/** dockerd shows the one that is there already, whoever has made it. @throws Refusal */
export function refuseAnothers(namespace: string, answer: Json): void {
  const thing = thingIn('volume', answer);
  if (thing === null || ownerOf(thing) === namespace) return;
  throw refuse(RULE, 'taken', 'a volume of this name exists on the engine and belongs to no namespace', {
    hint: 'use another name, or ask an administrator',
  });
}

/** Volumes without a name that are being made for a container that is not there yet. */
export interface Awaiting {
  readonly names: readonly string[];
  /** The container is there, or will not be: then they go. */
  ended(made: boolean): Promise<void>;
}

/**
 * A volume for each place, recoverably: where the engine removes the container by itself, they say that they go with it;
 * else an entry of the ledger says what they are for until the container is there. `claim`: that of the create, so that
 * totals do not count them beside what was promised. @throws Refusal
 */
export async function makeAwaiting(
  side: EngineSide,
  namespace: string,
  count: number,
  goWithContainer: boolean,
  claim: string | null,
): Promise<Awaiting> {
  if (count === 0) return { names: [], ended: async () => {} };
  const { ledger } = side;
  const names = Array.from({ length: count }, () => engineName(namespace, unnamedVolume()));
  ledger.hold(names);
  const entry = goWithContainer ? null : await ledger.write({ do: 'create', volumes: names });
  const own = {
    [ANONYMOUS_LABEL]: '',
    ...(claim === null ? {} : { [CLAIM_LABEL]: claim }),
    ...(goWithContainer ? { [INSTALLATION_LABEL]: ledger.installation.id, [UNTIL_LABEL]: 'container' } : {}),
  };
  const ended = async (made: boolean): Promise<void> => {
    if (!made) await removeVolumes(side, names);
    if (entry !== null) await ledger.crossOut(entry);
    ledger.leave(names);
  };
  try {
    for (const name of names) await make(side, namespace, name, NO_WISH, own);
  } catch (fault) {
    await ended(false).catch(() => {});
    throw fault;
  }
  return { names, ended };
}

/** The volumes without a name that an inspected container has mounted. */
export function unnamedOf(namespace: string, inspection: Json): readonly string[] {
  if (!isObject(inspection)) return [];
  return mountedVolumes(inspection).flatMap(({ name }) => (isUnnamed(namespace, name) ? [name] : []));
}

/** Those that are in use stay, as they would with dockerd. Whether none has stayed. */
export async function removeVolumes(side: EngineSide, names: readonly string[]): Promise<boolean> {
  let gone = true;
  for (const name of names) {
    const { status } = await side.desk.order('VolumeDelete', { parameters: { name } });
    if (status < 300) side.directory.lose('volume', name);
    gone &&= status < 300 || status === 404;
  }
  return gone;
}
