/** BuildKit's source policies (moby/buildkit, sourcepolicy/): from where the sources of a build may come. */

import type { Json } from '../ground/json.ts';
import { latin1, printMessage } from './protobuf.ts';
import { int, list, map, message, text } from './shape.ts';

const policy = message({
  Version: [1, int()],
  Rules: [
    2,
    list(
      message({
        Action: [1, int()],
        Selector: [
          2,
          message({
            Identifier: [1, text()],
            MatchType: [2, int()],
            Constraints: [3, list(message({ Key: [1, text()], Value: [2, text()], Condition: [3, int()] }))],
          }),
        ],
        Updates: [3, message({ Identifier: [1, text()], Attrs: [2, map(text())] })],
      }),
    ),
  ],
});

export interface SourceRule {
  /** Of rules that allow and deny, the last that matches counts; a conversion is judged again from the first rule on. */
  readonly action: 'allow' | 'deny' | { readonly convertTo: string };
  /** A regular expression of RE2 for the identifier, e.g. `docker-image://docker.io/library/busybox:latest`. */
  readonly regex: string;
  /** A conversion marks the source by this attribute. */
  readonly marks?: SourceMark;
  /** A source that is marked so does not match. */
  readonly unless?: SourceMark;
  /** What the client calls the only image that matches: where it is not to be taken, the rule is left out. */
  readonly of?: string;
  /** Sources alone with an attribute that matches the regular expression. */
  readonly where?: { readonly key: string; readonly matches: string };
}

export interface SourceMark {
  readonly key: string;
  readonly value: string;
}

const REGEX = 2;
const ACTIONS = { allow: 0, deny: 1 } as const;
const CONVERT = 2;
const NOT_EQUAL = 1;
const MATCHES = 2;

/** Rules behind those that a message says already: what is printed twice is merged. */
export function withSourceRules(policyBytes: Json | undefined, rules: readonly SourceRule[]): string {
  const printed = printMessage(policy, {
    Version: 1,
    Rules: rules.map(({ action, regex, marks, unless, where }, at): Json => {
      const constraints = [
        ...(unless === undefined ? [] : [{ Key: unless.key, Value: unless.value, Condition: NOT_EQUAL }]),
        ...(where === undefined ? [] : [{ Key: where.key, Value: where.matches, Condition: MATCHES }]),
      ];
      // Up to BuildKit 0.25 rules of the same identifier have the constraints of the first of them: none is said twice.
      const identifier = constraints.length === 0 ? regex : `(?:rule${at}){0}${regex}`;
      const selector = { Identifier: identifier, MatchType: REGEX, Constraints: constraints };
      if (typeof action === 'string') return { Action: ACTIONS[action], Selector: selector };
      const attributes = marks === undefined ? {} : { Attrs: { [marks.key]: marks.value } };
      return { Action: CONVERT, Selector: selector, Updates: { Identifier: action.convertTo, ...attributes } };
    }),
  });
  return (typeof policyBytes === 'string' ? policyBytes : '') + latin1(printed);
}

/** The regular expression for the source of an image whose whole reference matches `image`. */
export function imageSource(image: string): string {
  return `^docker-image://(?:${image})$`;
}
