// What a test imports to meet the real world: engines, docker commands, a registry.
import { afterAll } from 'vitest';
import { removeDockerConfigs } from './docker-cli.ts';

afterAll(removeDockerConfigs);

export { type CommandOptions, type CommandResult, run } from './command.ts';
export {
  type DockerCli,
  type DockerCliOptions,
  type DockerTarget,
  docker,
  dockerCli,
  dockerClis,
  dockerEnvironment,
  makeDockerConfig,
  spawnDocker,
} from './docker-cli.ts';
export { askEngine, type EngineAnswer } from './engine-api.ts';
export { freePort, hasRegistry, type RegistryOptions, startRegistry, type TestRegistry } from './registry.ts';
export {
  canStartEngines,
  compareVersions,
  describeEachEngine,
  type EngineControl,
  engines,
  newestEngine,
  startEngine,
  type TestEngine,
} from './test-engine.ts';
