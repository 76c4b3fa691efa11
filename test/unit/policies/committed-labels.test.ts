import { expect, test } from 'vitest';
import { committedLabels } from '../../../src/rules/policies/committed-labels.ts';
import { contextOf, judgeBy } from './judging.ts';

const labelled = {
  Config: { Image: 'busybox', Cmd: ['x'], Labels: { said: '1', 'berthgate.user': 'alice', 'berthgate.claim': '' } },
};
const bodyOf = async (container: string, body?: unknown, namespace: string | null = null) => {
  const path = `/commit?container=${container}&repo=app`;
  const said = { path, namespace, ...(body === undefined ? {} : { body }) };
  const known = {
    'ContainerInspect ours': labelled,
    'ContainerInspect theirs': { Config: { Labels: { said: '1' } } },
  };
  return (await judgeBy(committedLabels, said, contextOf(known))).call.body;
};

test('an image that is committed of a container says nothing of what is ours on that', async () => {
  const empty = { 'berthgate.user': '', 'berthgate.claim': '' };
  expect(await bodyOf('ours')).toEqual({ ...labelled.Config, Labels: { said: '1', ...empty } });
  // What the call says is the client's; the rest is the engine's to add.
  expect(await bodyOf('ours', { Labels: { more: '2' } })).toEqual({ Labels: { more: '2', ...empty } });
});

test('a commit of what is not ours, and one in a namespace, go on as they were said', async () => {
  expect(await bodyOf('theirs')).toBeNull();
  expect(await bodyOf('absent')).toBeNull();
  expect(await bodyOf('ours', undefined, 'alice')).toBeNull();
});
