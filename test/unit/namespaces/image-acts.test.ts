// Whose an event is that says an id alone: of who has brought it about, and of nobody whose act has failed.
import { expect, test } from 'vitest';
import type { EventFeed } from '../../../src/exchange/event-feed.ts';
import type { Json } from '../../../src/ground/json.ts';
import { ImageActs } from '../../../src/rules/namespaces/image-acts.ts';

const ID = `sha256:${'1'.repeat(64)}`;
let moment = 1;
const event = (Action: string, id = ID, name = ''): Json => ({
  Type: 'image',
  Action,
  Actor: { ID: id, Attributes: { name } },
  timeNano: moment++,
});

function watched(): { acts: ImageActs; ownerOf: (event: Json) => string | null } {
  let hear: (event: Json) => void = () => {};
  const acts = new ImageActs({
    keep: ({ onEvent }: { onEvent: (event: Json) => void }) => {
      hear = onEvent;
      return () => {};
    },
  } as unknown as EventFeed);
  acts.start();
  return {
    acts,
    ownerOf: (told) => {
      hear(told);
      return acts.ownerOf(told);
    },
  };
}

test('an act that has failed is expected no more, and takes no event of the same image from anybody', () => {
  for (const failed of [true, false]) {
    const { acts, ownerOf } = watched();
    const alices = acts.begin('alice');
    alices.expect('untag', ID);
    alices.expect('delete', ID);
    alices.over(failed);
    const bobs = acts.begin('bob');
    bobs.expect('delete', ID);
    // The control: of an act that was done, the event may come a little later than the answer.
    expect(ownerOf(event('delete'))).toBe(failed ? 'bob' : 'alice');
    expect(ownerOf(event('untag'))).toBe(failed ? null : 'alice');
  }
});

test('of several who do the same, each has one event', () => {
  const { acts, ownerOf } = watched();
  const [first, second, third] = ['alice', 'bob', 'alice'].map((one) => {
    const begun = acts.begin(one);
    begun.expect('load', ID);
    return begun;
  });
  second?.over(true);
  expect([ownerOf(event('load')), ownerOf(event('load')), ownerOf(event('load'))]).toEqual(['alice', 'alice', null]);
  first?.over(false);
  third?.over(false);
});

test('a name of an import that has failed makes nobody the owner of what gets it next', () => {
  for (const failed of [true, false]) {
    const { acts, ownerOf } = watched();
    const alices = acts.begin('alice');
    alices.expectImport('gateway/alice/app:1');
    if (failed) alices.over(true);
    ownerOf(event('tag', ID, 'gateway/alice/app:1'));
    expect(ownerOf(event('import'))).toBe(failed ? null : 'alice');
  }
});
