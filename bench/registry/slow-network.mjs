// A network namespace whose way out has a limited rate: what lies behind it is as far away as a registry is.

import { execFileSync } from 'node:child_process';
import { findProgram } from '../harness/programs.mjs';

const name = `berthgate-bench-${process.pid}`;
const [ours, theirs] = [`bgo${process.pid}`, `bgi${process.pid}`];
/** 198.18.0.0/15 is for benchmarks (RFC 2544). */
const [here, there] = ['198.18.77.1', '198.18.77.2'];

/** Gives the namespace and the address in it. As root; it goes with the process. */
export function openSlowNetwork(rate) {
  process.on('exit', closeSlowNetwork);
  for (const line of [
    `netns add ${name}`,
    `link add ${ours} type veth peer name ${theirs} netns ${name}`,
    `address add ${here}/30 dev ${ours}`,
    `link set ${ours} up`,
    `-n ${name} address add ${there}/30 dev ${theirs}`,
    `-n ${name} link set ${theirs} up`,
    `-n ${name} link set lo up`,
  ]) {
    execFileSync(findProgram('ip'), line.split(' '));
  }
  const limit = ['qdisc', 'add', 'dev', theirs, 'root', 'tbf', 'rate', rate, 'burst', '1mb', 'latency', '50ms'];
  execFileSync(findProgram('tc'), ['-n', name, ...limit]);
  return { name, address: there };
}

function closeSlowNetwork() {
  try {
    execFileSync(findProgram('ip'), ['netns', 'delete', name], { stdio: 'ignore' });
  } catch {
    // It never was.
  }
}
