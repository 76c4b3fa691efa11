// What lies around containers: networks, volumes, names, limits, and what is cleaned away.
import { expect, test } from 'vitest';
import { describeThrough } from './through.ts';

describeThrough('networks, volumes and settings', (ways) => {
  test('networks are made, joined, left, inspected and removed', async () => {
    await ways.same(
      async (way) => {
        const [network, one, two] = [way.own('net'), way.own('one'), way.own('two')];
        const subnet = way.subnet(0);
        await way.docker([
          'network',
          'create',
          '--subnet',
          subnet,
          '--label',
          'a=b',
          '-o',
          'com.docker.network.driver.mtu=1400',
          network,
        ]);
        await way.docker([
          'run',
          '-d',
          '--init',
          '--name',
          one,
          '--network',
          network,
          '--network-alias',
          'alias',
          'busybox',
          'sleep',
          '600',
        ]);
        await way.docker(
          [
            'run',
            '--rm',
            '--name',
            two,
            '--network',
            network,
            'busybox',
            'sh',
            '-c',
            `ping -c 1 -q ${one} && ping -c 1 -q alias`,
          ],
          { silent: true },
        );
        await way.docker([
          'network',
          'inspect',
          '--format',
          '{{.Name}} {{.Driver}} {{json .IPAM}} {{json .Options}} {{len .Containers}}',
          network,
        ]);
        await way.docker(['network', 'disconnect', network, one]);
        await way.docker([
          'network',
          'connect',
          '--alias',
          'other',
          '--ip',
          subnet.replace('.0/28', '.7'),
          network,
          one,
        ]);
        await way.docker(['exec', one, 'ip', '-4', '-o', 'address', 'show', 'scope', 'global'], { silent: true });
        await way.docker([
          'network',
          'ls',
          '--filter',
          `name=${network}`,
          '--format',
          '{{.Name}} {{.Driver}} {{.Scope}}',
        ]);
        await way.docker(['network', 'rm', network]);
        await way.docker(['network', 'disconnect', '-f', network, one]);
        await way.docker(['network', 'rm', network, network]);
        await way.docker(['rm', '-f', one]);
      },
      { clis: 'all' },
    );
  });

  test('volumes are made, filled, inspected and removed', async () => {
    await ways.same(
      async (way) => {
        const [volume, holder] = [way.own('vol'), way.own('holder')];
        await way.docker(['volume', 'create', '--label', 'a=b', volume]);
        await way.docker(['run', '--rm', '-v', `${volume}:/v`, 'busybox', 'sh', '-c', 'echo kept >/v/file']);
        await way.docker([
          'run',
          '--name',
          holder,
          '--mount',
          `type=volume,src=${volume},dst=/v,readonly`,
          'busybox',
          'sh',
          '-c',
          'cat /v/file; echo x >/v/file',
        ]);
        await way.docker(['run', '--rm', '--volumes-from', holder, 'busybox', 'cat', '/v/file']);
        await way.docker([
          'run',
          '--rm',
          '--tmpfs',
          '/t:size=1m',
          '-v',
          '/anonymous',
          'busybox',
          'sh',
          '-c',
          'df -k /t | tail -n 1 | grep -o 1024 | head -n 1',
        ]);
        await way.docker(['volume', 'inspect', '--format', '{{.Name}} {{.Driver}} {{.Labels}} {{.Scope}}', volume]);
        await way.docker(['volume', 'ls', '--filter', `name=${volume}`]);
        await way.docker(['volume', 'rm', volume]);
        await way.docker(['rm', '-v', holder]);
        await way.docker(['volume', 'rm', volume]);
        await way.docker(['volume', 'rm', volume]);
      },
      { clis: 'all' },
    );
  });

  test('containers are renamed and their limits changed', async () => {
    await ways.same(
      async (way) => {
        const name = way.own('update');
        await way.docker([
          'run',
          '-d',
          '--init',
          '--name',
          name,
          '--memory',
          '64m',
          '--memory-swap',
          '64m',
          'busybox',
          'sleep',
          '600',
        ]);
        await way.docker([
          'update',
          '--memory',
          '96m',
          '--memory-swap',
          '96m',
          '--cpus',
          '0.5',
          '--restart',
          'on-failure:3',
          name,
        ]);
        await way.docker([
          'inspect',
          '--format',
          '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{json .HostConfig.RestartPolicy}}',
          name,
        ]);
        await way.docker(['update', '--memory', '1', name]);
        await way.docker(['rename', name, `${name}-new`]);
        await way.docker(['rename', name, `${name}-newer`]);
        await way.docker(['rename', `${name}-new`, 'not a name']);
        await way.docker(['rm', `${name}-new`]);
        await way.docker(['rm', '-f', `${name}-new`]);
      },
      { clis: 'all' },
    );
  });

  test('a container has every setting that it was given', async () => {
    const came = await ways.same(
      async (way) => {
        const name = way.own('settings');
        const args = [
          'run',
          '--name',
          name,
          '--hostname',
          'host',
          '--env',
          'A=ä b',
          '--label',
          'K.with-dots/and:more=v',
        ]
          .concat('--user', '1000:1000', '--workdir', '/tmp', '--read-only', '--cap-drop', 'ALL', '--cap-add', 'CHOWN')
          .concat(
            '--ulimit',
            'nofile=100:200',
            '--dns',
            '192.0.2.1',
            '--add-host',
            'other:192.0.2.2',
            '--shm-size',
            '1m',
          )
          .concat(
            '--pids-limit',
            '50',
            '--sysctl',
            'net.ipv4.ip_forward=0',
            '--stop-signal',
            'USR1',
            '--stop-timeout',
            '7',
          )
          .concat(
            '--health-cmd',
            'true',
            '--health-interval',
            '1h',
            '--log-opt',
            'max-size=1m',
            '--oom-score-adj',
            '10',
          )
          .concat('--security-opt', 'no-new-privileges', '--tmpfs', '/run', '--expose', '99/udp', '--entrypoint', 'sh');
        await way.docker([
          ...args,
          'busybox',
          '-c',
          'hostname; id; pwd; echo $A; ulimit -n; grep other /etc/hosts; cat /proc/sys/net/ipv4/ip_forward',
        ]);
        const { stdout } = await way.docker(['inspect', name], { silent: true });
        await way.docker(['rm', name]);
        const [{ Config, HostConfig }] = JSON.parse(stdout);
        return { Config, HostConfig };
      },
      { clis: 'all' },
    );
    expect(came.HostConfig).toMatchObject({ PidsLimit: 50, ShmSize: 1024 * 1024, ReadonlyRootfs: true });
  });

  test('prune takes what its filter names', async () => {
    const came = await ways.same(async (way) => {
      const label = way.own('pruned');
      for (const kind of ['container', 'network', 'volume']) {
        const subnet = kind === 'network' ? ['--subnet', way.subnet(1)] : [];
        const image = kind === 'container' ? ['busybox'] : [];
        const name =
          kind === 'container'
            ? ['--name', way.own('prune')]
            : image.length === 0 && kind === 'network'
              ? [way.own('prune')]
              : [];
        await way.docker([kind, 'create', '--label', `e2e=${label}`, ...subnet, ...name, ...image], { silent: true });
      }
      for (const kind of ['container', 'network', 'volume', 'image']) {
        await way.docker([kind, 'prune', '-f', '--filter', `label=e2e=${label}`]);
      }
      await way.docker(['system', 'prune', '-f', '--filter', `label=e2e=${label}`], { silent: true });
      await way.docker(['ps', '-aq', '--filter', `label=e2e=${label}`]);
      await way.docker(['volume', 'ls', '-q', '--filter', `label=e2e=${label}`]);
    });
    expect(came).toBeUndefined();
  });
});
