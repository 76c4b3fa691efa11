// A program of somebody who tests with Testcontainers; prints what it saw as JSON. Its first argument goes into
// names; with `no-build` as the second it builds no image.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { GenericContainer, Network, Wait } from 'testcontainers';

const [, , name, how] = process.argv;
const seen = {};
// Testcontainers lets go of the socket of a container's log: waiting for a line alone would end the program.
const awake = setInterval(() => {}, 1000);

const folder = mkdtempSync(join(tmpdir(), 'berthgate-testcontainers-'));
writeFileSync(join(folder, 'Dockerfile'), `FROM busybox\nARG WORD\nRUN echo -n $WORD ${name} >/word\nCMD sleep 600\n`);
writeFileSync(join(folder, 'page'), 'a page that was copied');

const web = await new GenericContainer('busybox')
  .withName(name)
  .withExposedPorts(80)
  .withEnvironment({ GREETING: 'hello' })
  .withCopyFilesToContainer([{ source: join(folder, 'page'), target: '/www/index.html' }])
  .withCopyContentToContainer([{ content: 'told', target: '/www/content' }])
  .withCommand(['sh', '-c', 'httpd -f -p 80 -h /www & while sleep 0.2; do echo listening now; done'])
  .withWaitStrategy(Wait.forAll([Wait.forLogMessage('listening now'), Wait.forHttp('/index.html', 80)]))
  .withStartupTimeout(60_000)
  .start();

const answer = await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/index.html`);
seen.status = answer.status;
seen.page = await answer.text();
seen.exec = await web
  .exec(['sh', '-c', 'echo $GREETING | tr a-z A-Z'])
  .then(({ exitCode, output }) => ({ exitCode, output }));
seen.failed = (await web.exec(['sh', '-c', 'exit 9'])).exitCode;
await web.copyContentToContainer([{ content: 'later', target: '/www/later' }]);
seen.later = (await web.exec(['cat', '/www/later', '/www/content'])).output;
seen.archive = (await text(await web.copyArchiveFromContainer('/www/later'))).includes('later');
const logs = await web.logs();
seen.log = await new Promise((resolve) => logs.on('data', (line) => /listening/.test(line) && resolve(String(line))));
logs.destroy();
await web.restart({ timeout: 0 });
await web.stop({ timeout: 0 });

const network = await new Network().start();
const image =
  how === 'no-build'
    ? new GenericContainer('busybox')
    : await GenericContainer.fromDockerfile(folder)
        .withBuildArgs({ WORD: 'from a build' })
        .build(name, { deleteOnExit: false });
const built = await image
  .withNetwork(network)
  .withNetworkAliases('one')
  .withCommand(['sh', '-c', 'while sleep 0.2; do echo up; done'])
  .withWaitStrategy(Wait.forLogMessage('up'))
  .start();
const other = await new GenericContainer('busybox').withNetwork(network).withCommand(['sleep', '600']).start();
if (how !== 'no-build') seen.word = (await built.exec(['cat', '/word'])).output.replace(` ${name}`, '');
seen.ping = (await other.exec(['ping', '-c', '1', '-q', 'one'])).exitCode;
await Promise.all([built.stop({ timeout: 0 }), other.stop({ timeout: 0 })]);
await network.stop();

rmSync(folder, { recursive: true });
console.log(JSON.stringify(seen));
clearInterval(awake);
