/**
 * How a container of a namespace is on a network: an alias more, its name. What was said for it is kept among the options
 * of the endpoint, which no driver of the engine reads and which alone an engine keeps as they are.
 */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';

/** The alias that was added; empty where the client had said it. */
const ALIAS_OPTION = 'berthgate.alias';
/** The hardware address that was asked for: engines tell it only while the container runs. */
const MAC_OPTION = 'berthgate.mac';
/** Whether it is the default network that was meant, whatever its id is now. */
const DEFAULT_OPTION = 'berthgate.default-network';

/** The settings of an endpoint, with the name among its aliases. */
export function joining(said: JsonObject, name: string, isDefault: boolean): JsonObject {
  const aliases = textsOf(said.Aliases);
  const isSaid = aliases.includes(name);
  const mac = textOf(said.MacAddress);
  const options = {
    ...optionsOf(said),
    [ALIAS_OPTION]: isSaid ? '' : name,
    ...(mac === '' ? {} : { [MAC_OPTION]: mac }),
    ...(isDefault ? { [DEFAULT_OPTION]: 'true' } : {}),
  };
  return { ...said, ...(isSaid ? {} : { Aliases: [...aliases, name] }), DriverOpts: options };
}

/** Whether an inspected endpoint speaks of its container by another name. */
export function isNamedOtherwise(settings: JsonObject, name: string): boolean {
  const added = optionsOf(settings)[ALIAS_OPTION];
  if (typeof added !== 'string' || added === name) return false;
  return added !== '' || !textsOf(settings.Aliases).includes(name);
}

export function isOfDefaultNetwork(settings: JsonObject): boolean {
  return optionsOf(settings)[DEFAULT_OPTION] === 'true';
}

/** The settings to join with again, of an inspected endpoint of a container of that id. */
export function joiningAgain(settings: JsonObject, name: string, container: string): JsonObject {
  const { [ALIAS_OPTION]: added = '', ...options } = optionsOf(settings);
  // Engines up to 24 tell the short id among the aliases, and add it themselves.
  const own = new Set([added, container.slice(0, 12)]);
  const said = {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: settings.Links ?? null,
    Aliases: textsOf(settings.Aliases).filter((alias) => !own.has(alias)),
    DriverOpts: options,
    ...(textOf(options[MAC_OPTION]) === '' ? {} : { MacAddress: options[MAC_OPTION] as string }),
    ...(settings.GwPriority === undefined ? {} : { GwPriority: settings.GwPriority }),
  };
  return joining(said, name, isOfDefaultNetwork(settings));
}

/** dockerd's words where a start or a connect met a network that is no more. */
export function saysNoNetwork(status: number, message: string): boolean {
  return status === 404 && /\bnetwork \S+ not found/.test(message);
}

function optionsOf({ DriverOpts: options = null }: JsonObject): JsonObject {
  return isObject(options) ? options : {};
}

function textsOf(list: Json | undefined): readonly string[] {
  return isList(list ?? null) ? (list as readonly Json[]).filter((text) => typeof text === 'string') : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
