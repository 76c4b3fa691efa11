/** How the answers of calls of a namespace are told, whether the call goes on its way or is done here. */

import { withoutHost } from '../../docker/hide-host.ts';
import { messageIn, withMessage } from '../../docker/named-things.ts';
import { hideReserved } from '../../docker/reserved-labels.ts';
import { visit } from '../../docker/visit.ts';
import type { Call } from '../../exchange/call.ts';
import type { DeskAnswer, EngineDesk } from '../../exchange/engine-desk.ts';
import type { OwnAnswer, Passage } from '../../exchange/namespacing.ts';
import type { Json } from '../../ground/json.ts';
import type { Outward } from './outward.ts';
import type { Spoken } from './prose.ts';

/** Answers in which ids of containers stand that need not be the namespace's. */
export const STRICT = /^(Image|Network|SystemDataUsage)/;

export class Passages {
  private readonly outward: Outward;
  private readonly desk: EngineDesk;

  constructor(outward: Outward, desk: EngineDesk) {
    this.outward = outward;
    this.desk = desk;
  }

  passage(
    call: Call,
    spoken: readonly Spoken[],
    learn: (answer: Json) => void = () => {},
    show: (told: Json) => Json = (told) => told,
  ): Passage {
    const strict = STRICT.test(call.endpoint.id);
    const told = (document: Json, status: number): Json => {
      if (status >= 400) return withMessage(document, this.outward.refusal(call, messageIn(document), spoken));
      learn(document);
      return show(this.outward.answer(call.endpoint, document, spoken, strict));
    };
    return { call, answer: null, names: { told, toldText: (text) => this.outward.refusal(call, text, spoken) } };
  }

  /** Done here and now, where something has to follow before the client hears of it. */
  async order(
    named: Call,
    spoken: readonly Spoken[],
    learn?: (answer: Json) => void,
    perform = ({ endpoint, parameters, query, body }: Call): Promise<DeskAnswer> =>
      this.desk.order(endpoint.id, { parameters, query, body }),
  ): Promise<Passage & { readonly answer: OwnAnswer }> {
    const { endpoint } = named;
    const { status, answer } = await perform(named);
    const passed = this.passage(named, spoken, learn);
    const told = answer === null ? null : (passed.names.told(answer, status) ?? null);
    const { shape } = endpoint.answer;
    const plain = told === null || shape === undefined || status >= 400;
    const shown = plain ? told : withoutHost(shape, visit(shape, told, hideReserved));
    return { ...passed, answer: { status, body: shown } };
  }
}
