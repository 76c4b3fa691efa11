// A job with long builds and streams over upgrades of Berthgate: a container with a docker client builds by both
// builders from an image that it pulls, has a terminal attached, follows logs and events, and in the midst of it other processes
// take over, one after another. Each says a word a second, and no word may be missing.

import { setTimeout as pause } from 'node:timers/promises';
import { callEngine } from '../harness/engine-call.mjs';
import { docker } from './client.mjs';
import { difference, dropKept, holdingsOf } from './holdings.mjs';
import { SOCKET } from './served.mjs';
import { pushBase, UPSTREAM } from './wall.mjs';

const COUNT = 'i=0; while [ $i -lt $SECONDS_ ]; do i=$((i+1)); echo "WORD $i of"; sleep 1; done';
const count = (word) => COUNT.replace('WORD', word);

const JOB = `
export HOME=/tmp; mkdir -p /p; cd /p
printf 'FROM %s\\nARG SECONDS_\\nARG BY\\nRUN ${count('$BY')}; echo $BY >/by\\nFROM %s\\nCOPY --from=0 /by /by\\nCMD cat /by\\n' $BASE $BASE >Dockerfile
all=
begin() { n=$1; shift; { "$@" >$n.log 2>&1; echo $? >$n.code; } & all="$all $n"; }
b() { DOCKER_BUILDKIT=$1 docker build $3 --no-cache --build-arg SECONDS_ --build-arg BY=$2 --tag $2 . && docker run --rm $2; }
begin classic b 0 classic
begin buildkit b 1 buildkit --progress=plain
begin attached docker run --rm --name attached --env SECONDS_ busybox sh -c '${count('attached')}'
begin events sh -c 'timeout $((SECONDS_ + 20)) docker events --filter event=custom; true'
until docker inspect attached >/dev/null 2>&1; do sleep 0.2; done
begin exec docker exec --env SECONDS_ attached sh -c '${count('exec').replace('$SECONDS_', '$((SECONDS_ - 10))')}'
begin logs docker logs --follow attached
echo begun
wait
for n in $all; do echo "$n exit $(cat $n.code)"; cat $n.log; done
echo over
`;

const WORDS = { classic: 0, buildkit: 0, attached: 0, exec: 10 };

/** `at`: in seconds after the begin, when another process takes over. Gives figures, and what was wrong. */
export async function upgradesDuringJob({ served, client, registry, seconds, at, before, folder, say }) {
  const engine = served.engine;
  await pushBase({ engine, registry, word: 'upgrades', folder });
  const name = 'builder';
  const env = { BASE: `${UPSTREAM}/base:upgrades`, SECONDS_: String(seconds) };
  const said = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  const job = ['-v', `${SOCKET}:${SOCKET}`, client, 'sh', '-c', JOB];
  await docker(served.unix, ['run', '--detach', '--init', '--name', name, ...said, ...job]);
  const logs = () => docker(served.unix, ['logs', name]);
  const until = async (word, timeoutMs) => {
    for (const last = Date.now() + timeoutMs; Date.now() < last; await pause(500))
      if ((await logs()).split('\n').includes(word)) return;
    throw new Error(`the job does not say ${word}: ${(await logs()).slice(-3000)}`);
  };
  await until('begun', 60_000);
  const from = Date.now();
  say('the job has begun');
  const left = [];
  for (const second of at) {
    await pause(Math.max(0, from + second * 1000 - Date.now()));
    left.push(await served.takeOver());
    say(`${left.length} upgrades`);
  }
  await until('over', (seconds + 300) * 1000);
  const text = await logs();
  const faults = [];
  for (const [word, less] of Object.entries(WORDS)) {
    const heard = new Set([...text.matchAll(new RegExp(`${word} (\\d+) of`, 'g'))].map(([, number]) => number));
    if (heard.size !== seconds - less) faults.push(`${word}: ${heard.size} words of ${seconds - less}`);
  }
  for (const [, what, code] of text.matchAll(/^(\w+) exit (\d+)$/gm))
    if (code !== '0') faults.push(`${what}: exit ${code}`);
  if (faults.length > 0) faults.push(text);
  const { job: id } = await served.jobOf(name);
  await docker(served.unix, ['rm', '--force', name]);
  for (const last = Date.now() + 60_000; Date.now() < last; await pause(250))
    if (served.said('a job has ended').some((line) => line.job === id)) break;
  const ended = await Promise.race([Promise.all(left.map((one) => one.ended)), pause(60_000, null)]);
  if (ended === null || ended.some((code) => code !== 0)) faults.push(`processes that were taken over: ${ended}`);
  await callEngine(engine, 'POST', '/build/prune?all=1');
  await dropKept(engine);
  await callEngine(engine, 'DELETE', `/networks/${served.namespace}.bridge`);
  const differ = difference(before, await holdingsOf(engine));
  const leftOver = [
    ...differ.left.map((thing) => `left: ${thing}`),
    ...differ.missing.map((thing) => `missing: ${thing}`),
  ];
  return {
    figures: { seconds, upgrades: at.length, faults: faults.length, left: leftOver.length },
    faults: [...faults, ...leftOver],
  };
}
