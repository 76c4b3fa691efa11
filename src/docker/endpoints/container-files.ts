/** The files of containers, as tar archives. */

import { empty, endpoint } from '../endpoint.ts';
import { own } from '../marks.ts';
import { bool, since, text } from '../shape.ts';
import { borrowed, container } from './container-parameter.ts';

/** Paths within the container; the engine follows its links without leaving it. */
const path = text(own);

/** Name, size, mode, time and target of a link: base64 of JSON. */
const pathStat = { 'x-docker-container-path-stat': text() };

export const containerFileEndpoints = [
  endpoint({
    id: 'ContainerExport',
    summary: 'Read all files of a container',
    method: 'GET',
    path: '/containers/{id}/export',
    risk: 'read',
    parameters: container,
    answer: { travel: 'tar' },
  }),
  endpoint({
    id: 'ContainerArchiveInfo',
    summary: 'Look at a file in a container',
    method: 'HEAD',
    path: '/containers/{id}/archive',
    risk: 'read',
    parameters: borrowed,
    query: { path },
    answer: empty,
    answerHeaders: pathStat,
  }),
  endpoint({
    id: 'ContainerArchive',
    summary: 'Read files of a container',
    method: 'GET',
    path: '/containers/{id}/archive',
    risk: 'read',
    repeats: true,
    parameters: borrowed,
    query: { path },
    answer: { travel: 'tar' },
    answerHeaders: pathStat,
  }),
  endpoint({
    id: 'PutContainerArchive',
    summary: 'Write files into a container',
    method: 'PUT',
    path: '/containers/{id}/archive',
    risk: 'write',
    repeats: true,
    parameters: borrowed,
    query: { path, noOverwriteDirNonDir: bool(own), copyUIDGID: since('1.30', bool(own)) },
    body: { travel: 'tar', contentType: 'application/x-tar', optional: true },
    answer: empty,
  }),
];
