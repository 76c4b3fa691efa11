/** What an engine without room is not asked for. Whatever else is asked goes on, and above all what removes something. */

import type { Endpoint } from '../docker/endpoint.ts';
import { Refusal } from '../ground/refusal.ts';
import type { Engine } from './engine.ts';

/** @throws Refusal */
export function needsRoom({ disk }: Engine, { fills }: Endpoint): void {
  if (fills !== true || disk?.isFull !== true) return;
  throw new Refusal('disk-full', "the engine's disk is full, so nothing is made, pulled or built until there is room", {
    hint: 'remove containers, images and volumes that you do not need any more, or ask the administrator',
  });
}
