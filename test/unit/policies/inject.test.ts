import { describe, expect, test } from 'vitest';
import { injectKind } from '../../../src/rules/policies/inject.ts';
import { create, judgeBy } from './judging.ts';

async function injected(options: unknown, path: string, body?: unknown) {
  const { call, decisions } = await judgeBy(
    create(injectKind, options),
    body === undefined ? { path } : { path, body },
  );
  return { body: call.body as never, query: call.query, changes: decisions[0]?.changes ?? [] };
}

const containers = '/containers/create';

describe('inject', () => {
  test('says what the client has not said', async () => {
    const { body, changes } = await injected(
      {
        default: {
          labels: { site: 'uni' },
          env: { HTTP_PROXY: 'http://proxy:3128' },
          extraHosts: { cache: '10.0.0.9' },
          dns: ['10.0.0.53'],
          runtime: 'runsc',
          cgroupParent: '/ci',
          network: 'ci',
          log: { driver: 'local' },
          securityOptions: ['no-new-privileges'],
          user: '1000:1000',
        },
      },
      containers,
      { Image: 'debian' },
    );
    expect(body).toEqual({
      Image: 'debian',
      Labels: { site: 'uni' },
      Env: ['HTTP_PROXY=http://proxy:3128'],
      User: '1000:1000',
      HostConfig: {
        ExtraHosts: ['cache:10.0.0.9'],
        Dns: ['10.0.0.53'],
        Runtime: 'runsc',
        CgroupParent: '/ci',
        NetworkMode: 'ci',
        LogConfig: { Type: 'local', Config: {} },
        SecurityOpt: ['no-new-privileges'],
      },
    });
    expect(changes.map(({ rule, place }) => [rule, place])).toContainEqual(['default-runtime', 'HostConfig.Runtime']);
    expect(changes).toHaveLength(10);
  });

  const said = {
    Labels: { site: 'mine', own: '1' },
    Env: ['HTTP_PROXY=', 'A=1', 'B'],
    User: 'root',
    HostConfig: {
      ExtraHosts: ['Cache:1.2.3.4', 'db:10.0.0.1'],
      Dns: ['9.9.9.9'],
      Runtime: 'runc',
      NetworkMode: 'mine',
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
      SecurityOpt: ['no-new-privileges=false', 'apparmor=mine'],
    },
  };
  const site = {
    labels: { site: 'uni' },
    env: { HTTP_PROXY: 'http://proxy:3128' },
    extraHosts: { cache: '10.0.0.9' },
    dns: ['10.0.0.53'],
    runtime: 'runsc',
    network: 'ci',
    log: { driver: 'local' },
    securityOptions: ['no-new-privileges=true'],
    user: '1000',
  };

  test('leaves what the client has said where it is a default', async () => {
    const { body, changes } = await injected({ default: site }, containers, said);
    expect(changes).toEqual([]);
    expect(body).toEqual(said);
  });

  test('overrides what the client has said where it is forced, and leaves what is about other things', async () => {
    const { body } = await injected({ force: site }, containers, said);
    expect(body).toEqual({
      Labels: { site: 'uni', own: '1' },
      Env: ['A=1', 'B', 'HTTP_PROXY=http://proxy:3128'],
      User: '1000',
      HostConfig: {
        ExtraHosts: ['cache:10.0.0.9', 'db:10.0.0.1'],
        Dns: ['10.0.0.53'],
        Runtime: 'runsc',
        NetworkMode: 'ci',
        LogConfig: { Type: 'local', Config: {} },
        SecurityOpt: ['apparmor=mine', 'no-new-privileges=true'],
      },
    });
  });

  test('moves the settings of the default network along, and forced leaves no other network', async () => {
    const EndpointsConfig = { default: { Aliases: ['web'] }, other: {} };
    const body = { HostConfig: { NetworkMode: 'default' }, NetworkingConfig: { EndpointsConfig } };
    const byDefault = await injected({ default: { network: 'ci' } }, containers, body);
    expect(byDefault.body).toMatchObject({ HostConfig: { NetworkMode: 'ci' } });
    expect((byDefault.body as typeof body).NetworkingConfig.EndpointsConfig).toEqual({
      ci: { Aliases: ['web'] },
      other: {},
    });
    const forced = await injected({ force: { network: 'ci' } }, containers, body);
    expect((forced.body as typeof body).NetworkingConfig.EndpointsConfig).toEqual({ ci: { Aliases: ['web'] } });
  });

  test('is said only where the endpoint has the field', async () => {
    expect((await injected({ force: site }, '/volumes/create', {})).body).toEqual({ Labels: { site: 'uni' } });
    expect((await injected({ force: site }, '/networks/create', { Name: 'a' })).body).toEqual({
      Name: 'a',
      Labels: { site: 'uni' },
    });
    const { query } = await injected({ force: site }, '/build?t=web&extrahosts=Cache:1.1.1.1');
    expect(query).toEqual({
      t: ['web'],
      labels: { site: 'uni' },
      extrahosts: ['cache:10.0.0.9'],
      networkmode: 'ci',
      securityopt: ['no-new-privileges=true'],
    });
    expect((await injected({ force: site }, '/containers/web/start')).changes).toEqual([]);
  });

  test('cannot be taken back by a command in the container where it is forced', async () => {
    const exec = { Cmd: ['id'], User: 'root', Env: ['HTTP_PROXY='] };
    const { body } = await injected({ force: site }, '/containers/web/exec', exec);
    expect(body).toEqual({ Cmd: ['id'], User: '1000', Env: ['HTTP_PROXY=http://proxy:3128'] });
    expect((await injected({ default: site }, '/containers/web/exec', exec)).body).toEqual(exec);
  });

  test('takes no label of our own, and no setting that there is not', () => {
    expect(() => create(injectKind, { force: { labels: { 'berthgate.user': 'root' } } })).toThrow();
    expect(() => create(injectKind, { force: { privileged: true } })).toThrow();
  });
});
