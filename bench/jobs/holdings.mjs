// What an engine has, so that it can be compared with what it had.

import { callEngine } from '../harness/engine-call.mjs';

/** What stays when a job has gone, on purpose: images that it has pulled, steps of builds for its owner's next one. */
const KEPT = /^berthgate\.invalid\/kept:|^127\.0\.0\.1:\d+\/s_/;

const ENGINES_OWN = new Set(['bridge', 'host', 'none']);

/** Words such as `container 3f…`: what is there, and not what is kept. */
export async function holdingsOf(socket) {
  const list = async (path) => JSON.parse((await callEngine(socket, 'GET', path)).text);
  const containers = await list('/containers/json?all=1');
  const networks = await list('/networks');
  const { Volumes: volumes } = await list('/volumes');
  const images = await list('/images/json?all=1');
  return new Set([
    ...containers.map(({ Id, Names }) => `container ${Names[0]} ${Id.slice(0, 12)}`),
    // The engine's own ones are made anew when it starts.
    ...networks.map(({ Id, Name }) => `network ${Name}${ENGINES_OWN.has(Name) ? '' : ` ${Id.slice(0, 12)}`}`),
    ...(volumes ?? []).map(({ Name }) => `volume ${Name}`),
    ...images.flatMap(({ Id, RepoTags }) =>
      (RepoTags?.length ? RepoTags : ['<none>']).map((tag) => `image ${tag} ${Id.slice(7, 19)}`),
    ),
  ]);
}

/** Removes what is kept; gives how many names of images that were. */
export async function dropKept(socket) {
  const { text } = await callEngine(socket, 'GET', '/images/json');
  const kept = JSON.parse(text).flatMap(({ RepoTags: tags }) => (tags ?? []).filter((tag) => KEPT.test(tag)));
  for (const tag of kept) await callEngine(socket, 'DELETE', `/images/${tag}?force=1`);
  return kept.length;
}

/** Containers, networks and volumes with a label of a job. */
export async function ofJobs(socket) {
  const filters = encodeURIComponent(JSON.stringify({ label: ['berthgate.job'] }));
  const list = async (path) => JSON.parse((await callEngine(socket, 'GET', `${path}filters=${filters}`)).text);
  const [containers, networks, { Volumes: volumes }] = [
    await list('/containers/json?all=1&'),
    await list('/networks?'),
    await list('/volumes?'),
  ];
  // Every container carries the label, which is empty where it is no job's.
  const of = (things) => (things ?? []).filter(({ Labels }) => (Labels?.['berthgate.job'] ?? '') !== '');
  return of(containers).length + of(networks).length + of(volumes).length;
}

export function difference(before, after) {
  return {
    missing: [...before].filter((thing) => !after.has(thing)),
    left: [...after].filter((thing) => !before.has(thing)),
  };
}
