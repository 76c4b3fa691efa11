/** What an engine without room is not asked for. Whatever else is asked goes on, and above all what removes something. */

import type { Endpoint } from '../docker/endpoint.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Engine } from './engine.ts';
import type { LoadJudge } from './load-judge.ts';

/** @throws Refusal */
export function needsRoom({ disk }: Pick<Engine, 'disk'>, { fills }: Endpoint): void {
  if (fills !== true || disk?.isFull !== true) return;
  throw diskFull("the engine's disk is full, so nothing is made, pulled or built until there is room");
}

/** Of a load while it comes: an engine lays the archive aside, and then has what is in it beside it. */
export function roomJudges({ disk }: Engine): readonly LoadJudge[] {
  if (disk === undefined) return [];
  // What has come by then is in every later look.
  const { roomBytes } = disk;
  return [
    {
      size({ archive, contents }) {
        if (!disk.isFull && (roomBytes === null || archive + contents <= roomBytes)) return;
        throw diskFull("the engine's disk has no room for what the archive holds, so nothing of it is loaded");
      },
    },
  ];
}

function diskFull(message: string): Refusal {
  return new Refusal('disk-full', message, {
    hint: 'remove containers, images and volumes that you do not need any more, or ask the administrator',
  });
}
