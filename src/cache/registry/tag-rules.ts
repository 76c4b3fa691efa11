/** For how long what a tag means is taken for true without asking. By digest nothing ever changes. */

import { compileGlob } from '../../ground/glob.ts';
import type { Config } from '../../operate/config/index.ts';

export class TagRules {
  private readonly rules: readonly { readonly matches: (name: string) => boolean; readonly freshMs: number }[];

  constructor(tags: Config['registry']['tags']) {
    this.rules = tags.map(({ match, fresh }) => ({ matches: compileGlob(match), freshMs: fresh }));
  }

  /** In ms; 0 where no rule is for it. @param name `docker.io/library/debian:12` */
  freshMs(name: string): number {
    return this.rules.find(({ matches }) => matches(name))?.freshMs ?? 0;
  }
}
