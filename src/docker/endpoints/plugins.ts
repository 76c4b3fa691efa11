/** Plugins of the engine. Whoever installs one is root on the host. */

import { empty, endpoint, json, jsonBody, lines } from '../endpoint.ts';
import { fetches, makes, own, privilege, uses } from '../marks.ts';
import { bool, filters, int, list, text } from '../shape.ts';
import { clusterWide } from '../shapes/cluster-mark.ts';
import { plugin, pluginPrivileges } from '../shapes/plugin.ts';
import { progressLine } from '../shapes/progress.ts';
import { registryAuth } from '../shapes/registry-auth.ts';

const named = { name: text(uses('plugin')) };
const granted = privilege('root', 'a plugin runs as a part of the engine, with what it was granted');
const since = '1.25';

export const pluginEndpoints = [
  endpoint({
    id: 'PluginList',
    summary: 'List plugins',
    method: 'GET',
    path: '/plugins',
    risk: 'cluster',
    since,
    query: { filters: filters({ capability: text(own), enable: text(own), enabled: text(own) }) },
    answer: json(list(plugin)),
  }),
  endpoint({
    id: 'GetPluginPrivileges',
    summary: 'Ask a registry what a plugin wants to be allowed',
    method: 'GET',
    path: '/plugins/privileges',
    risk: 'cluster',
    since,
    query: { remote: text(fetches) },
    headers: registryAuth,
    answer: json(pluginPrivileges),
  }),
  endpoint({
    id: 'PluginPull',
    summary: 'Install a plugin',
    method: 'POST',
    path: '/plugins/pull',
    risk: 'cluster',
    fills: true,
    since,
    query: { remote: text(fetches), name: text(makes('plugin')) },
    headers: registryAuth,
    body: jsonBody(clusterWide(pluginPrivileges), { optional: true }),
    answer: lines(progressLine),
  }),
  endpoint({
    id: 'PluginInspect',
    summary: 'Inspect a plugin',
    method: 'GET',
    path: '/plugins/{name}/json',
    risk: 'cluster',
    since,
    parameters: named,
    answer: json(plugin),
  }),
  endpoint({
    id: 'PluginDelete',
    summary: 'Remove a plugin',
    method: 'DELETE',
    path: '/plugins/{name}',
    risk: 'cluster',
    since,
    parameters: named,
    query: { force: bool(granted) },
    answer: json(plugin),
  }),
  endpoint({
    id: 'PluginEnable',
    summary: 'Start a plugin',
    method: 'POST',
    path: '/plugins/{name}/enable',
    risk: 'cluster',
    since,
    parameters: named,
    query: { timeout: int(own) },
    answer: empty,
  }),
  endpoint({
    id: 'PluginDisable',
    summary: 'Stop a plugin',
    method: 'POST',
    path: '/plugins/{name}/disable',
    risk: 'cluster',
    since,
    parameters: named,
    query: { force: bool(granted) },
    answer: empty,
  }),
  endpoint({
    id: 'PluginUpgrade',
    summary: 'Upgrade a plugin',
    method: 'POST',
    path: '/plugins/{name}/upgrade',
    risk: 'cluster',
    since: '1.26',
    parameters: named,
    query: { remote: text(fetches) },
    headers: registryAuth,
    body: jsonBody(clusterWide(pluginPrivileges), { optional: true }),
    answer: lines(progressLine),
  }),
  endpoint({
    id: 'PluginCreate',
    summary: 'Make a plugin from a file system in a tar',
    method: 'POST',
    path: '/plugins/create',
    risk: 'cluster',
    since,
    query: { name: text(makes('plugin')) },
    body: { travel: 'tar', contentType: 'application/x-tar' },
    answer: empty,
  }),
  endpoint({
    id: 'PluginPush',
    summary: 'Push a plugin to its registry',
    method: 'POST',
    path: '/plugins/{name}/push',
    risk: 'cluster',
    since,
    parameters: named,
    headers: registryAuth,
    answer: lines(progressLine),
  }),
  endpoint({
    id: 'PluginSet',
    summary: 'Set variables, mounts, devices and arguments of a plugin',
    method: 'POST',
    path: '/plugins/{name}/set',
    risk: 'cluster',
    since,
    parameters: named,
    body: jsonBody(list(text(granted))),
    answer: empty,
  }),
];
