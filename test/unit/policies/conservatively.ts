/** Calls as `conservative` judges them. */
import { conservativeKind } from '../../../src/rules/policies/conservative/conservative.ts';
import { contextOf, create, judgeBy, type Known, refusalBy, type Said } from './judging.ts';

export const made = (body: object): Said => ({
  path: '/v1.51/containers/create?name=web',
  body: { Image: 'busybox', ...body },
});
export const host = (fields: object): Said => made({ HostConfig: fields });

export async function judged(said: Said, options: object = {}, known: Known = {}) {
  const { call, decisions } = await judgeBy(create(conservativeKind, options), said, contextOf(known));
  return {
    call,
    body: call.body as never as Record<string, never>,
    changes: decisions.flatMap(({ changes }) => changes),
  };
}

export async function refused(said: Said, options: object = {}, known: Known = {}) {
  const { status, place, message, hint, rule } = await refusalBy(
    create(conservativeKind, options),
    said,
    contextOf(known),
  );
  return { status, place, message, hint, rule };
}
