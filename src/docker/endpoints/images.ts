/** Images in the engine's store. */

import { empty, endpoint, json, lines } from '../endpoint.ts';
import { dockerfileChange } from '../grammars/dockerfile-change.ts';
import { importSource } from '../grammars/import-source.ts';
import { searchTerm } from '../grammars/search-term.ts';
import { asksRegistry, labels, makes, own, privilege, uses } from '../marks.ts';
import { bool, filters, int, language, list, neutral, object, since, text, until } from '../shape.ts';
import { attestationStatement, imageDeletion, imageHistoryEntry, imageInspect, imageSummary } from '../shapes/image.ts';
import { descriptor, platform, platformParameter } from '../shapes/oci.ts';
import { progressLine } from '../shapes/progress.ts';
import { pruneFilters } from '../shapes/prune.ts';
import { registryAuth } from '../shapes/registry-auth.ts';

/** Without the word, or where it is true, only images that have no name go. */
const danglingOnly = neutral(
  text(privilege('shared', "removes every image that no container uses, whoever's it is")),
  'true',
  '1',
);

const image = { name: text(uses('image')) };
const platforms = list(platformParameter);

export const imageEndpoints = [
  endpoint({
    id: 'ImageList',
    summary: 'List images',
    method: 'GET',
    path: '/images/json',
    risk: 'read',
    shareable: true,
    query: {
      all: bool(own),
      filters: filters({
        before: text(uses('image')),
        dangling: text(own),
        label: text(labels),
        'label!': text(labels),
        reference: text(uses('image', 'pattern')),
        since: text(uses('image')),
        until: text(own),
      }),
      /** The name filter of clients that know no filters. */
      filter: until('1.24', text(uses('image', 'pattern'))),
      digests: bool(own),
      'shared-size': since('1.42', bool(own)),
      manifests: since('1.47', bool(own)),
      identity: since('1.54', bool(own)),
    },
    answer: json(list(imageSummary)),
  }),
  endpoint({
    id: 'ImageInspect',
    summary: 'Inspect an image',
    method: 'GET',
    path: '/images/{name}/json',
    risk: 'read',
    shareable: true,
    parameters: image,
    query: { manifests: since('1.48', bool(own)), platform: since('1.49', platformParameter) },
    answer: json(imageInspect),
  }),
  endpoint({
    id: 'ImageHistory',
    summary: 'Show how an image was built, layer by layer',
    method: 'GET',
    path: '/images/{name}/history',
    risk: 'read',
    parameters: image,
    query: { platform: since('1.48', platformParameter) },
    answer: json(list(imageHistoryEntry)),
  }),
  endpoint({
    id: 'ImageAttestations',
    summary: 'Show the statements that are attached to an image',
    method: 'GET',
    path: '/images/{name}/attestations',
    risk: 'read',
    since: '1.55',
    parameters: image,
    query: { platform: platforms, type: list(text(own)), statement: bool(own) },
    answer: json(list(attestationStatement)),
  }),
  endpoint({
    id: 'ImageCreate',
    summary: 'Pull an image, or import one from a file system in a tar',
    method: 'POST',
    path: '/images/create',
    risk: 'transfer',
    fills: true,
    query: {
      fromImage: text(makes('image'), asksRegistry),
      fromSrc: language(importSource),
      repo: text(makes('image')),
      /** A tag or digest that overrides the one in the name; a pull with neither takes every tag there is. */
      tag: text(own),
      message: text(own),
      changes: list(language(dockerfileChange)),
      platform: since('1.32', text(own)),
    },
    headers: registryAuth,
    body: { travel: 'tar', optional: true, contentType: 'application/x-tar' },
    answer: lines(progressLine),
  }),
  endpoint({
    id: 'ImagePush',
    summary: 'Push an image to its registry',
    method: 'POST',
    path: '/images/{name}/push',
    risk: 'transfer',
    parameters: { name: text(uses('image', 'name'), asksRegistry) },
    query: {
      /** Without one, all tags of the name are pushed. */
      tag: text(own),
      platform: since('1.46', platformParameter),
    },
    headers: registryAuth,
    answer: lines(progressLine),
  }),
  endpoint({
    id: 'ImageTag',
    summary: 'Give an image another name',
    method: 'POST',
    path: '/images/{name}/tag',
    risk: 'write',
    parameters: image,
    query: { repo: text(makes('image')), tag: text(own) },
    answer: empty,
  }),
  endpoint({
    id: 'ImageDelete',
    summary: 'Take a name from an image; with the last name the image goes',
    method: 'DELETE',
    path: '/images/{name}',
    risk: 'write',
    parameters: image,
    query: {
      force: bool(own),
      noprune: bool(own),
      platforms: since('1.50', list(text(privilege('shared', 'removes content under all names of the image')))),
    },
    answer: json(list(imageDeletion)),
  }),
  endpoint({
    id: 'ImagePrune',
    summary: 'Remove images that no container uses',
    method: 'POST',
    path: '/images/prune',
    risk: 'write',
    since: '1.25',
    query: { filters: filters({ ...pruneFilters, dangling: danglingOnly }) },
    answer: json(object({ ImagesDeleted: list(imageDeletion), SpaceReclaimed: int() })),
  }),
  endpoint({
    id: 'ImageSearch',
    summary: 'Search a registry for images',
    method: 'GET',
    path: '/images/search',
    risk: 'transfer',
    query: {
      term: language(searchTerm),
      limit: int(own),
      filters: filters({ 'is-automated': text(own), 'is-official': text(own), stars: text(own) }),
    },
    headers: registryAuth,
    answer: json(
      list(object({ description: text(), is_official: bool(), is_automated: bool(), name: text(), star_count: int() })),
    ),
  }),
  endpoint({
    id: 'ImageGet',
    summary: 'Save an image as a tar',
    method: 'GET',
    path: '/images/{name}/get',
    risk: 'read',
    parameters: image,
    query: { platform: since('1.48', platforms) },
    answer: { travel: 'tar' },
  }),
  endpoint({
    id: 'ImageGetAll',
    summary: 'Save several images as one tar',
    method: 'GET',
    path: '/images/get',
    risk: 'read',
    query: { names: list(text(uses('image'))), platform: since('1.48', platforms) },
    answer: { travel: 'tar' },
  }),
  endpoint({
    id: 'ImageLoad',
    summary: 'Load saved images; their names stand in the tar',
    method: 'POST',
    path: '/images/load',
    risk: 'write',
    fills: true,
    query: { quiet: bool(own), platform: since('1.48', platforms) },
    body: { travel: 'tar', contentType: 'application/x-tar' },
    answer: lines(progressLine),
  }),
  endpoint({
    id: 'DistributionInspect',
    summary: 'Ask a registry what an image is',
    method: 'GET',
    path: '/distribution/{name}/json',
    risk: 'transfer',
    since: '1.30',
    parameters: { name: text(makes('image'), asksRegistry) },
    headers: registryAuth,
    answer: json(object({ Descriptor: descriptor, Platforms: list(platform) })),
  }),
];
