// The hosts that a registry sends clients to: what is new is told, once.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type OnHost, RegistryHosts } from '../../../src/cache/registry/index.ts';

test('a host that is new is told once, also after a restart, and the first one is no news', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-hosts-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const told: string[] = [];
  const start = (): RegistryHosts =>
    new RegistryHosts(join(folder, 'hosts.json'), (registry, kind, host, before) =>
      told.push(`${registry} ${kind} ${host} after ${before.join()}`),
    );
  const seen: readonly Parameters<OnHost>[] = [
    ['docker.io', 'auth', 'auth.example.org'],
    ['docker.io', 'blobs', 'cdn.example.org'],
    ['ghcr.io', 'auth', 'auth.example.org'],
  ];
  for (const one of [...seen, ...seen]) start().saw(...one);
  expect(told).toEqual([]);
  for (let turn = 0; turn < 2; turn++) start().saw('docker.io', 'auth', 'login.example.org');
  expect(told).toEqual(['docker.io auth login.example.org after auth.example.org']);
  const hosts = start();
  for (let i = 0; i < 1000; i++) hosts.saw('docker.io', 'blobs', `cdn${i}.example.org`);
  hosts.saw('docker.io', 'blobs', 'cdn999.example.org');
  expect(told).toHaveLength(1001);
});
