/** What builds may fetch, by what their listener says of builds: beside the policies that it names, and whatever they say. */

import { buildOf } from '../../docker/build-call.ts';
import { opensBuild } from '../../docker/buildkit-requests.ts';
import { isNeutral } from '../../docker/neutral.ts';
import { visitCall } from '../../docker/visit-call.ts';
import type { BuildAddresses } from '../../exchange/build-addresses.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Policy, Verdict } from '../../exchange/policy.ts';
import { endpointsWith } from './endpoint-marks.ts';

const NAME = 'builds';
const HINT = 'the engine connects from its own network: an administrator lists the hosts in builds.urls';

const fetching = endpointsWith((mark) => mark.mark === 'fetches' && mark.what === 'address');

export class BuildsPolicy implements Policy {
  readonly name = NAME;
  private readonly addresses: BuildAddresses;

  constructor(addresses: BuildAddresses) {
    this.addresses = addresses;
  }

  judge(call: Call): Verdict {
    const { endpoint } = call;
    if (endpoint.id === 'ImageBuild') return this.judgeClassic(call);
    const within = endpoint.body.travel === 'grpc';
    if (!within) return { call, rule: 'no-build', changes: [] };
    if (fetching.has(endpoint)) this.judgeAddresses(call);
    const sources = opensBuild(endpoint) ? { sources: { closed: true, fetched: this.addresses.sources } as const } : {};
    return { call, rule: 'allowed', changes: [], ...sources };
  }

  private judgeClassic(call: Call): Verdict {
    // A namespace serves neither, and says so itself.
    const build = call.namespace === null ? buildOf(call) : null;
    if (build?.byBuildKit === true) {
      throw refuse(NAME, 'fetches', 'what it fetches cannot be judged', {
        place: 'query.version',
        hint: 'take a newer docker, or DOCKER_BUILDKIT=0: its Dockerfile does not come with the call',
      });
    }
    const remote = call.query.remote;
    if (build?.brought === false && !(typeof remote === 'string' && this.addresses.permits(remote))) {
      throw refuse(NAME, 'fetches', `must not be ${JSON.stringify(remote)}`, { place: 'query.remote', hint: HINT });
    }
    return {
      call,
      rule: 'allowed',
      changes: [],
      build: {
        image: () => {},
        address: (text, line, certain) => {
          if (certain && this.addresses.permitsFile(text)) return;
          throw refuse(NAME, 'fetches', `must not ADD ${text}${certain ? '' : ', which may be an address'}`, {
            place: `Dockerfile:${line}`,
            hint: HINT,
          });
        },
      },
    };
  }

  private judgeAddresses(call: Call): void {
    visitCall(call, ({ marks, value, place, shape }) => {
      const fetched = marks.some((mark) => mark.mark === 'fetches' && mark.what === 'address');
      if (!fetched || isNeutral(shape, value) || (typeof value === 'string' && this.addresses.permits(value)))
        return value;
      throw refuse(NAME, 'fetches', `must not be ${JSON.stringify(value)}`, { place, hint: HINT });
    });
  }
}
