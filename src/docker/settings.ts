/** Where calls say what a site may want to say for all of them: one setting, in the place of each endpoint. */

import { isList, isObject, type Json, type JsonObject } from '../ground/json.ts';
import type { CallPath } from './call-place.ts';

/** What can be set, and how its value is written wherever it stands. */
export type Setting =
  | 'labels' // a map
  | 'env' // a list of NAME=value
  | 'extra-hosts' // a list of NAME:ADDRESS
  | 'dns' // a list of addresses
  | 'dns-search' // a list of domains
  | 'dns-options' // a list of words
  | 'runtime'
  | 'cgroup-parent'
  | 'network'
  | 'log' // {Type, Config}
  | 'security-options' // a list of KEY=VALUE and words
  | 'user'
  | 'ulimits'; // a list of {Name, Soft, Hard}

const container: Partial<Record<Setting, CallPath>> = {
  labels: ['body', 'Labels'],
  env: ['body', 'Env'],
  user: ['body', 'User'],
  'extra-hosts': ['body', 'HostConfig', 'ExtraHosts'],
  dns: ['body', 'HostConfig', 'Dns'],
  'dns-search': ['body', 'HostConfig', 'DnsSearch'],
  'dns-options': ['body', 'HostConfig', 'DnsOptions'],
  runtime: ['body', 'HostConfig', 'Runtime'],
  'cgroup-parent': ['body', 'HostConfig', 'CgroupParent'],
  network: ['body', 'HostConfig', 'NetworkMode'],
  log: ['body', 'HostConfig', 'LogConfig'],
  ulimits: ['body', 'HostConfig', 'Ulimits'],
  'security-options': ['body', 'HostConfig', 'SecurityOpt'],
};

const build: Partial<Record<Setting, CallPath>> = {
  labels: ['query', 'labels'],
  'extra-hosts': ['query', 'extrahosts'],
  'cgroup-parent': ['query', 'cgroupparent'],
  network: ['query', 'networkmode'],
  ulimits: ['query', 'ulimits'],
  'security-options': ['query', 'securityopt'],
};

const byEndpoint: Readonly<Record<string, Partial<Record<Setting, CallPath>>>> = {
  ContainerCreate: container,
  ImageBuild: build,
  VolumeCreate: { labels: ['body', 'Labels'] },
  NetworkCreate: { labels: ['body', 'Labels'] },
};

/** Commands inherit what their container has, but may say otherwise. */
const exec: Partial<Record<Setting, CallPath>> = { env: ['body', 'Env'], user: ['body', 'User'] };

/** Where the endpoint says the setting; null where it has none. */
export function placeOfSetting(endpointId: string, setting: Setting): CallPath | null {
  return byEndpoint[endpointId]?.[setting] ?? null;
}

/** Where a call could take a setting back that its container was given; null where it cannot. */
export function placeOfOverride(endpointId: string, setting: Setting): CallPath | null {
  return endpointId === 'ContainerExec' ? (exec[setting] ?? null) : null;
}

/** What an entry of a list setting is about: entries about the same thing replace each other. */
export function subjectOf(setting: Setting, entry: string): string {
  switch (setting) {
    case 'env':
      return entry.split('=', 1)[0] as string;
    case 'extra-hosts':
      // BuildKit's clients write NAME=ADDRESS.
      return (entry.split(/[:=]/, 1)[0] as string).toLowerCase();
    case 'security-options':
      return entry.split(entry.includes('=') ? '=' : ':', 1)[0] as string;
    default:
      return entry;
  }
}

/** What a network that nobody chose is called. */
function isDefaultNetwork(name: Json | undefined): boolean {
  return name === undefined || name === null || name === '' || name === 'default';
}

/** Whether this value of a setting leaves it to the engine. */
export function isUnsaid(setting: Setting, value: Json): boolean {
  if (setting === 'network') return isDefaultNetwork(value);
  if (setting === 'log') return !isObject(value) || ((value.Type ?? '') === '' && isEmpty(value.Config ?? null));
  return isEmpty(value);
}

function isEmpty(value: Json): boolean {
  if (value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/**
 * The body of a container's create with its settings for the network `before` moved to the network `after`: the engine
 * joins both what `NetworkMode` says and what stands here.
 */
export function moveEndpoint(body: JsonObject, before: Json | undefined, after: string, alone: boolean): JsonObject {
  const networking = body.NetworkingConfig ?? null;
  const endpoints = isObject(networking) ? (networking.EndpointsConfig ?? null) : null;
  if (!isObject(networking) || !isObject(endpoints)) return body;
  const names = isDefaultNetwork(before) ? ['', 'default', 'bridge'] : [String(before)];
  const moved: Record<string, Json> = Object.create(null);
  for (const [name, settings] of Object.entries(endpoints)) {
    if (names.includes(name)) moved[after] = settings;
    else if (!alone || name === after) moved[name] = settings;
  }
  return { ...body, NetworkingConfig: { ...networking, EndpointsConfig: moved } };
}

/** The entries of a list setting; none where there is no list. */
export function entriesOf(value: Json | undefined): readonly string[] {
  return isList(value ?? null) ? (value as readonly Json[]).filter((entry) => typeof entry === 'string') : [];
}
