import { expect, test } from 'vitest';
import type { Endpoint } from '../../../src/docker/endpoint.ts';
import { readQuery } from '../../../src/docker/query.ts';
import { readAs } from '../../../src/docker/read.ts';
import type { Shape } from '../../../src/docker/shape.ts';
import { table } from '../../../src/docker/table.ts';
import { printJson, readJsonText } from '../../../src/ground/json.ts';
import { Refusal } from '../../../src/ground/refusal.ts';

function endpoint(id: string): Endpoint {
  return table.find((one) => one.id === id) as Endpoint;
}

function reread(id: string, body: string): string {
  return printJson(readAs(endpoint(id).body.shape as Shape, readJsonText(body, 32)).value);
}

test('what docker-py spells in lower case is printed as the engine has it', () => {
  expect(reread('ContainerExec', '{"detachKeys":"ctrl-x"}')).toBe('{"DetachKeys":"ctrl-x"}');
  expect(reread('ServiceCreate', '{"Mode":{"replicated":{"Replicas":2}}}')).toBe(
    '{"Mode":{"Replicated":{"Replicas":2}}}',
  );
  expect(reread('ConfigCreate', '{"Templating":{"name":"golang"}}')).toBe('{"Templating":{"Name":"golang"}}');
});

test('real-time limits are read as docker-py writes them', () => {
  expect(reread('ContainerCreate', '{"HostConfig":{"CPURealtimePeriod":1000,"CPURealtimeRuntime":500}}')).toBe(
    '{"HostConfig":{"CpuRealtimePeriod":1000,"CpuRealtimeRuntime":500}}',
  );
});

test('how a service is updated and rolled back is read in the spelling of dictionaries', () => {
  expect(reread('ServiceCreate', '{"RollbackConfig":{"order":"start-first","maxFailureRatio":0.5}}')).toBe(
    '{"RollbackConfig":{"MaxFailureRatio":0.5,"Order":"start-first"}}',
  );
});

test('both spellings of one field are refused', () => {
  expect(() => reread('ContainerExec', '{"detachKeys":"a","DetachKeys":"b"}')).toThrow(Refusal);
});

test('a spelling that no client is known for is refused', () => {
  expect(() => reread('ContainerExec', '{"privileged":true}')).toThrow(Refusal);
  expect(() => reread('ContainerExec', '{"DETACHKEYS":"a"}')).toThrow(Refusal);
});

test('of the dockerfile that docker-py says twice the first counts, as for the engine', () => {
  const { values } = readQuery('dockerfile=.a&dockerfile=FROM+busybox', endpoint('ImageBuild').query);
  expect(values.dockerfile).toBe('.a');
});

test('every other parameter is said once', () => {
  expect(() => readQuery('networkmode=none&networkmode=host', endpoint('ImageBuild').query)).toThrow(Refusal);
});
