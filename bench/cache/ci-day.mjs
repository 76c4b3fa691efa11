// A model of a day of a CI service: what the jobs of many small projects download, in order. The same seed gives the same
// day. Modelled after the service whose measurements are known: 115 projects, 8,000 jobs, 225,000 requests.
//
// A job belongs to a project; a few projects have most of the jobs, and the jobs of one come in bursts. A project has one
// of three base systems, whose package indexes each job asks for, and sets of packages in one or two languages: most of
// them from a common core that all choose from by popularity, the rest its own long tail. Now and then a project takes a
// newer version of a package, and the indexes change some times a day. A job takes a part of its project's packages, as
// branches differ, and some things that nobody asks for again: snapshots, sources of one commit.

const PROJECTS = 115;
const JOBS = 8000;
const SECONDS = 86_400;
const SYSTEMS = 3;
const INDEX_CHANGES = 8;
const UPDATE_SHARE = 0.15;
const TAKEN_SHARE = 0.85;
const ONCE = 9;
const POPULARITY = 0.8;

/** Median size in bytes, spread (sigma of the logarithm), how many packages exist, how many a project uses. */
const KINDS = {
  apt: { median: 90_000, sigma: 1.8, core: 8000, own: 3, uses: [3, 14] },
  npm: { median: 18_000, sigma: 1.5, core: 30_000, own: 10, uses: [10, 60] },
  pip: { median: 120_000, sigma: 2.0, core: 8000, own: 4, uses: [4, 24] },
  maven: { median: 70_000, sigma: 1.6, core: 9000, own: 8, uses: [8, 50] },
};
const LARGEST = 200_000_000;

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Ranks from 0 on, the first ones most often. */
function zipf(count, exponent) {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) sums[i] = sum += 1 / (i + 1) ** exponent;
  return (random) => {
    const wanted = random() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Of an object, from its name alone: `scale` makes all of them smaller. */
function sizeOf(name, { median, sigma }, scale) {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  const size = median * Math.exp(sigma * normal(randomFrom(hash)));
  return Math.max(200, Math.round(Math.min(size, LARGEST) * scale));
}

const INDEX = { median: 2_000_000, sigma: 1 };
const SNAPSHOT = { median: 60_000, sigma: 1.9 };

/** `{path, size}` for each request, in order. */
export function* ciDay({ seed = 1, scale = 1, jobs = JOBS } = {}) {
  const random = randomFrom(seed);
  const popular = Object.fromEntries(Object.entries(KINDS).map(([kind, { core }]) => [kind, zipf(core, POPULARITY)]));
  const projects = Array.from({ length: PROJECTS }, (_, i) => makeProject(i, random, popular));
  const whose = zipf(PROJECTS, 1);
  const sizes = new Map();
  const request = (path, kind) => {
    if (!sizes.has(path)) sizes.set(path, sizeOf(path, kind, scale));
    return { path, size: sizes.get(path) };
  };
  let [project, left] = [null, 0];
  for (let job = 0; job < jobs; job++) {
    if (left-- <= 0) {
      project = projects[whose(random)];
      left = Math.floor(random() * 8);
    }
    const second = Math.floor((job / jobs) * SECONDS);
    const state = Math.floor((second / SECONDS) * INDEX_CHANGES);
    for (const part of ['main', 'updates']) yield request(`/index/${project.system}/${part}/${state}`, INDEX);
    for (let i = Math.floor(random() * ONCE); i > 0; i--) yield request(`/once/${job}/${i}`, SNAPSHOT);
    for (const one of project.packages) {
      if (random() < UPDATE_SHARE / project.packages.length) one.version++;
      if (random() > TAKEN_SHARE) continue;
      yield request(`/${one.kind}/${one.name}/${one.version}`, KINDS[one.kind]);
    }
  }
}

function makeProject(number, random, popular) {
  const [language] = ['npm', 'pip', 'maven', 'npm'].slice(Math.floor(random() * 4));
  const packages = new Map();
  for (const kind of ['apt', language]) {
    const { own, uses } = KINDS[kind];
    const count = Math.round(uses[0] + (uses[1] - uses[0]) * random() ** 2);
    for (let i = 0; i < count; i++) {
      const name = i < count - own ? `core-${popular[kind](random)}` : `own-${number}-${i}`;
      packages.set(`${kind}/${name}`, { kind, name, version: 1 });
    }
  }
  return { system: Math.floor(random() * SYSTEMS), packages: [...packages.values()] };
}
