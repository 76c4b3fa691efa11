// Images that a namespace makes of its containers and of archives: commit and import.
import { expect, test } from 'vitest';
import { run as command, docker, dockerCli } from '../engines/index.ts';
import { describeImageUsers, idOf, tagsOf } from './image-users.ts';

describeImageUsers('images that a namespace makes', ({ alice, bob, direct, at, run, gateway, engine, engineName }) => {
  test('a container is committed under the name that the client gives it', async () => {
    await docker(at('alice'), [
      'run',
      '--name',
      'made',
      '--label',
      'said=1',
      '-e',
      'WORD=kept',
      'busybox',
      'sh',
      '-c',
      `echo ${run} >/whose`,
    ]);
    const id = await docker(at('alice'), [
      'commit',
      '-m',
      'message',
      '-c',
      'CMD ["cat", "/whose"]',
      'made',
      'team/made:1',
    ]);
    expect(await idOf(alice, 'team/made:1')).toBe(id);
    expect(await docker(at('alice'), ['run', '--rm', 'team/made:1'])).toBe(run);
    const inspected = await alice('GET', '/images/team/made:1/json');
    expect(inspected.text).not.toMatch(/berthgate|127\.0\.0\.1|im-/);
    const { Config } = inspected.json<{ Config: { Labels: object; Env: string[]; Image: string } }>();
    expect(Config.Labels).toEqual({ said: '1' });
    expect(Config.Env).toContain('WORD=kept');
    expect(await tagsOf(bob)).not.toContain('team/made:1');
    const built = await docker(at('alice'), ['build', '-q', '-'], {
      input: 'FROM team/made:1\nLABEL built=1\n',
      env: { DOCKER_BUILDKIT: '0' },
    });
    expect(built).toMatch(/^sha256:/);
    await docker(at('alice'), ['rmi', built]);
    // The image says nothing of its namespace, wherever it goes.
    const raw = (await direct('GET', `/images/${engineName('alice', 'docker.io/team/made:1')}/json`)).json<{
      Config: object;
    }>();
    expect(JSON.stringify(raw.Config)).not.toMatch(/127\.0\.0\.1|im-/);
  });

  test('a commit and an import without a name are shown as <none>, and belong to the namespace', async () => {
    const tar = await filesOf(run);
    const committed = (await alice('POST', '/commit?container=made&changes=LABEL%20a=b')).json<{ Id: string }>().Id;
    const imported = (await alice('POST', '/images/create?fromSrc=-', { body: tar })).json<{ status: string }>().status;
    for (const id of [committed, imported]) {
      expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
      // The control: the engine has it.
      expect((await direct('GET', `/images/${id}/json`)).status).toBe(200);
      expect((await bob('GET', `/images/${id}/json`)).status).toBe(404);
      expect((await bob('POST', '/containers/create', { body: { Image: id, Cmd: ['x'] } })).status).toBe(404);
      const own = (await alice('GET', `/images/${id}/json`)).json<{ RepoTags: string[] }>();
      expect(own.RepoTags).toEqual([]);
    }
    const dangling = (await alice('GET', '/images/json?filters={"dangling":["true"]}')).json<{ Id: string }[]>();
    expect(dangling.map(({ Id }) => Id).sort()).toEqual([committed, imported].sort());
    const pruned = (await alice('POST', '/images/prune')).json<{ ImagesDeleted: { Deleted?: string }[] }>();
    const deleted = pruned.ImagesDeleted.map(({ Deleted }) => Deleted);
    expect(deleted).toEqual(expect.arrayContaining([committed, imported]));
    expect((await direct('GET', `/images/${imported}/json`)).status).toBe(404);
  });

  test('an archive of files is imported under a name; what had the name before stays, without one', async () => {
    const before = await docker(at('alice'), ['import', '-', 'brought:1'], { input: await filesOf('first') });
    const after = await docker(at('alice'), ['import', '-c', 'LABEL a=b', '-', 'brought:1'], {
      input: await filesOf('second'),
    });
    expect(await idOf(alice, 'brought:1')).toBe(after);
    expect((await alice('GET', `/images/${before}/json`)).json<{ RepoTags: string[] }>().RepoTags).toEqual([]);
    expect(await tagsOf(bob)).not.toContain('brought:1');
    // Two users, one name, two images.
    const other = await docker(at('bob'), ['import', '-', 'brought:1'], { input: await filesOf('third') });
    expect([await idOf(alice, 'brought:1'), await idOf(bob, 'brought:1')]).toEqual([after, other]);
    await docker(at('alice'), ['rmi', 'brought:1', before]);
    expect((await direct('GET', `/images/${before}/json`)).status).toBe(404);
    expect(await idOf(bob, 'brought:1')).toBe(other);
  });

  test("nobody commits another's container, takes a reserved label, a digest for a name, or has the engine fetch an address", async () => {
    const container = (await alice('GET', '/containers/made/json')).json<{ Id: string }>().Id;
    expect((await bob('POST', `/commit?container=${container}&repo=stolen`)).status).toBe(404);
    expect((await direct('GET', `/containers/${container}/json`)).status).toBe(200);
    const forged = [
      '/commit?container=made&repo=x&changes=LABEL%20berthgate.namespace=im',
      '/commit?container=made&repo=x&changes=ONBUILD%20LABEL%20berthgate.namespace=im',
    ];
    for (const path of forged) expect((await alice('POST', path)).status).toBe(403);
    expect(
      (await alice('POST', '/commit?container=made&repo=x', { body: { Labels: { 'berthgate.user': 'bob' } } })).status,
    ).toBe(403);
    expect((await alice('POST', `/commit?container=made&repo=x@sha256:${'0'.repeat(64)}`)).status).toBe(400);
    const fetched = await alice('POST', '/images/create?fromSrc=http://127.0.0.1:1/x.tar&repo=x');
    expect([fetched.status, fetched.text]).toEqual([403, expect.stringContaining('must be -')]);
    const hostile = await dockerCli(at('alice'), ['commit', 'made', engineName('bob', 'docker.io/library/app:1')]);
    // It is a name of a registry at that address, and alice's.
    expect(hostile.code).toBe(0);
    expect((await direct('GET', `/images/${engineName('bob', 'docker.io/library/app:1')}/json`)).status).toBe(404);
    expect(await tagsOf(bob)).not.toContain('app:1');
    expect(gateway()).not.toBe('');
    expect(engine.name).not.toBe('');
  });
});

/** A tar with one file. */
async function filesOf(content: string): Promise<Buffer> {
  const { stdout } = await command('/bin/sh', [
    '-c',
    'cd "$(mktemp -d)" && printf %s "$0" >whose && tar -c whose | base64 && rm -r "$PWD"',
    content,
  ]);
  return Buffer.from(stdout, 'base64');
}
