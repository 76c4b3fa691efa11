/** What a container trusts, and where: read out of it, and written back with our roots or without. */

import { EXTRA_TRUST_FILE } from '../../../docker/extra-trust.ts';
import type { ContainerFiles } from '../../../exchange/container-files.ts';
import { subjectHash } from '../certificates.ts';
import { storeWith, type TrustedRoot } from './key-store.ts';
import { withoutOurs, withRoots } from './pem-bundle.ts';
import {
  ANCHORS,
  type AnchorFolder,
  BUNDLES,
  fileNameOf,
  HASHED,
  keyStores,
  LOCAL_ANCHORS,
  OWN_FILE,
  USUAL_BUNDLE,
  USUAL_HASHED,
  within,
} from './places.ts';
import { archiveOf, entriesIn, printAs, printEntry, printNew, type TarEntry } from './tar-files.ts';

interface Found {
  readonly path: string;
  readonly entry: TarEntry;
}

export interface Survey {
  readonly bundles: readonly Found[];
  readonly stores: readonly Found[];
  readonly anchors: readonly AnchorFolder[];
  readonly hashed: readonly string[];
}

/** How many files are asked for at a time. */
const AT_ONCE = 6;
const LINKS_FOLLOWED = 8;

/** `mounted`: what is not the container's own, and is left alone. @throws Error where the engine refuses */
export async function surveyOf(
  files: ContainerFiles,
  container: string,
  environment: readonly string[],
  mounted: readonly string[],
): Promise<Survey> {
  const own = (path: string): boolean => !mounted.some((target) => within(path, target));
  const bundles = BUNDLES.filter(own).map((path) => () => fileAt(files, container, path));
  const stores = keyStores(environment).map((path) => () => linkedFile(files, container, path));
  const folders = [...ANCHORS.map(({ folder }) => folder), ...HASHED].filter(own);
  const looks = folders.map((path) => async () => ((await isFolder(files, container, path)) ? path : null));
  const [foundBundles, foundStores, foundFolders] = [await some(bundles), await some(stores), await some(looks)];
  return {
    bundles: foundBundles,
    // Several names of one file are one.
    stores: [...new Map(foundStores.filter(({ path }) => own(path)).map((one) => [one.path, one])).values()],
    anchors: ANCHORS.filter(({ folder }) => foundFolders.includes(folder)),
    hashed: HASHED.filter((folder) => foundFolders.includes(folder)),
  };
}

/** To be unpacked at the root of the container: it trusts these roots then, and no older ones of ours. */
export function trustArchive(survey: Survey, roots: readonly TrustedRoot[]): Buffer {
  const pems = roots.map(({ pem }) => pem);
  const entries: Buffer[] = [];
  for (const { path, entry } of survey.bundles)
    entries.push(printAs(entry, path.slice(1), withRoots(entry.content, pems)));
  for (const { path, entry } of survey.stores) {
    const store = storeWith(entry.content, roots);
    if (store !== null) entries.push(printAs(entry, path.slice(1), store));
  }
  const none = survey.bundles.length === 0;
  if (none) entries.push(printNew(USUAL_BUNDLE.slice(1), 'file', withRoots(Buffer.alloc(0), pems)));
  // What is to be trusted by packages that come later lies there in every case.
  const anchors = survey.anchors.length === 0 ? [LOCAL_ANCHORS] : survey.anchors;
  const hashed = survey.hashed.length === 0 && none ? [USUAL_HASHED] : survey.hashed;
  entries.push(printNew(EXTRA_TRUST_FILE.slice(1), 'file', Buffer.from(pems.join(''))));
  for (const root of roots) {
    const name = fileNameOf(root.name);
    const pem = Buffer.from(root.pem);
    for (const { folder, suffix } of anchors)
      entries.push(printNew(`${folder.slice(1)}/${name}${suffix}`, 'file', pem));
    for (const folder of hashed) {
      // As update-ca-certificates would make it itself.
      const linked = folder === USUAL_HASHED && anchors.includes(LOCAL_ANCHORS);
      const target = `${LOCAL_ANCHORS.folder}/${name}${LOCAL_ANCHORS.suffix}`;
      entries.push(printNew(`${folder.slice(1)}/${name}.pem`, linked ? 'link' : 'file', linked ? target : pem));
      entries.push(printNew(`${folder.slice(1)}/${subjectHash(root.name)}.0`, 'link', `${name}.pem`));
    }
  }
  return archiveOf(entries);
}

/** What the archive of these roots would write; false for files that the container has made otherwise than its image, too. */
export function touchedBy(
  survey: Survey,
  roots: readonly TrustedRoot[],
  image: Survey | undefined,
): ReadonlyMap<string, boolean> {
  const touched = new Map(entriesIn(trustArchive(survey, roots)).map(({ name }) => [`/${name}`, true]));
  const original = new Map([...(image?.bundles ?? []), ...(image?.stores ?? [])].map((one) => [one.path, one.entry]));
  const compare = (path: string, clean: Buffer | null): void => {
    const before = original.get(path)?.content;
    if (before !== undefined && clean !== null && !clean.equals(before)) touched.set(path, false);
  };
  for (const { path, entry } of survey.bundles) compare(path, withoutOurs(entry.content));
  for (const { path, entry } of survey.stores) compare(path, storeWith(entry.content, []));
  return touched;
}

/** To be unpacked at the root of the container: files that held something of ours, without it. Null where none does. */
export function cleanArchive({ bundles, stores }: Survey): Buffer | null {
  const entries: Buffer[] = [];
  for (const { path, entry } of bundles) {
    const clean = withoutOurs(entry.content);
    if (clean !== entry.content) entries.push(printAs(entry, path.slice(1), clean));
  }
  for (const { path, entry } of stores) {
    const clean = storeWith(entry.content, []);
    if (clean !== null && !clean.equals(entry.content)) entries.push(printAs(entry, path.slice(1), clean));
  }
  return entries.length === 0 ? null : archiveOf(entries);
}

/**
 * Archives deletes nothing, but a file in the place of a folder does: the folder is made anew with what is not ours. To
 * be unpacked in the folder above it. Null where it holds nothing of ours.
 */
export function cleanFolder(tar: Buffer): Buffer | null {
  const entries = entriesIn(tar);
  const [folder] = entries;
  if (folder === undefined || folder.kind !== 'folder') return null;
  const kept = entries.filter(({ name, link }) => !OWN_FILE.test(name) && !OWN_FILE.test(link));
  if (kept.length === entries.length) return null;
  return archiveOf([printNew(folder.name.replace(/\/$/, ''), 'file'), ...kept.map(printEntry)]);
}

async function some<T>(asks: readonly (() => Promise<T | null>)[]): Promise<readonly T[]> {
  const found: (T | null)[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < asks.length; at = next++) found[at] = (await asks[at]?.()) ?? null;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found.filter((one) => one !== null) as T[];
}

async function fileAt(files: ContainerFiles, container: string, path: string): Promise<Found | null> {
  const [entry] = await firstEntry(files, container, path);
  return entry?.kind === 'file' ? { path, entry } : null;
}

async function linkedFile(files: ContainerFiles, container: string, path: string): Promise<Found | null> {
  let at = path;
  for (let left = LINKS_FOLLOWED; left > 0; left--) {
    const [entry] = await firstEntry(files, container, at);
    if (entry?.kind === 'file') return { path: at, entry };
    if (entry?.kind !== 'link') return null;
    at = resolved(at, entry.link);
  }
  return null;
}

async function isFolder(files: ContainerFiles, container: string, path: string): Promise<boolean> {
  const [entry] = await firstEntry(files, container, path);
  return entry?.kind === 'folder';
}

async function firstEntry(files: ContainerFiles, container: string, path: string): Promise<readonly TarEntry[]> {
  const tar = await files.read(container, path);
  return tar === null ? [] : entriesIn(tar);
}

function resolved(from: string, link: string): string {
  const steps = link.startsWith('/') ? [] : from.split('/').slice(1, -1);
  for (const step of link.split('/')) {
    if (step === '..') steps.pop();
    else if (step !== '' && step !== '.') steps.push(step);
  }
  return `/${steps.join('/')}`;
}
