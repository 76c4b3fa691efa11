// A program of a job that tests with Testcontainers and leaves everything to Ryuk; prints what it saw as JSON. Nothing is set
// for it but the image of the reaper.
import { execFileSync } from 'node:child_process';
import { GenericContainer, Network, Wait } from 'testcontainers';

const seen = {};
const docker = (...args) => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const page = (word) => ['sh', '-c', `echo -n ${word} >/index.html; exec httpd -f -p 80 -h /`];
const read = async (web) => {
  const answer = await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/index.html`);
  return answer.text();
};

const built = await GenericContainer.fromDockerfile('/app/image').build();
const first = built.withExposedPorts(80).withWaitStrategy(Wait.forHttp('/word', 80));
const network = await new Network().start();
const one = await first.start();
const onNetwork = new GenericContainer('busybox').withNetwork(network).withNetworkAliases('two').withExposedPorts(80);
const two = await onNetwork.withCommand(page('two')).start();
const other = await new GenericContainer('busybox')
  .withNetwork(network)
  .withCommand(['wget', '-qO-', 'http://two/index.html'])
  .withWaitStrategy(Wait.forOneShotStartup())
  .start();

seen.built = (await one.exec(['cat', '/word'])).output;
seen.two = await read(two);
seen.within = docker('logs', other.getId());
const ryuk = docker('ps', '--quiet', '--filter', 'label=org.testcontainers.ryuk=true');
seen.ryuk = docker('inspect', '--format', '{{.HostConfig.Privileged}}', ryuk);
seen.left = docker('ps', '--all', '--quiet', '--filter', 'label=org.testcontainers=true').split('\n').length;
console.log(JSON.stringify(seen));
process.exit();
