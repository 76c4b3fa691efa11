import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forbiddenFor, mayImport, type Room, rooms, wings } from './rooms.ts';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');

interface Import {
  readonly from: string;
  readonly to: string;
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return filesBelow(path);
    return name.endsWith('.ts') ? [path] : [];
  });
}

const files = filesBelow(src);

function importsOf(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((found) => found[1] as string);
}

const inner: readonly Import[] = files.flatMap((from) =>
  importsOf(from)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => ({ from: relative(src, from), to: relative(src, resolve(dirname(from), specifier)) })),
);

function roomOf(path: string): Room {
  const first = path.split(sep)[0] as string;
  return (first === 'main.ts' ? 'main' : first) as Room;
}

function wingRoomOf(path: string): string | null {
  const [wing, room, ...rest] = path.split(sep);
  return wings.includes(wing as Room) && rest.length > 0 ? `${wing}/${room}` : null;
}

describe('the house', () => {
  test('is read whole', () => {
    expect(files.length).toBeGreaterThan(60);
    expect(inner.length).toBeGreaterThan(150);
  });

  test('has only the rooms of the plan', () => {
    expect(files.map((file) => relative(src, file)).filter((path) => !rooms.includes(roomOf(path)))).toEqual([]);
  });

  test('has arrows that point only down', () => {
    expect(inner.filter(({ from, to }) => !mayImport(roomOf(from), roomOf(to)))).toEqual([]);
  });

  test('has wings whose rooms do not look into each other', () => {
    const across = inner.filter(({ from, to }) => {
      const room = wingRoomOf(from);
      const other = wingRoomOf(to);
      return room !== null && other !== null && room !== other && roomOf(from) === roomOf(to);
    });
    expect(across).toEqual([]);
  });

  test('has a heart without input and output', () => {
    const heart = files.filter((file) => roomOf(relative(src, file)) === 'docker');
    expect(heart.length).toBeGreaterThan(30);
    expect(heart.filter((file) => importsOf(file).some((specifier) => specifier.startsWith('node:')))).toEqual([]);
  });

  test('has no file over 400 lines', () => {
    const long = files.filter((file) => readFileSync(file, 'utf8').split('\n').length > 401);
    expect(long.map((file) => relative(src, file))).toEqual([]);
  });

  test('keeps the paths of the Docker API in the table', () => {
    const spelled = /['"`]\/(?:containers|images|networks|volumes|exec|services|swarm|plugins)\//;
    const outside = files.filter(
      (file) => roomOf(relative(src, file)) !== 'docker' && roomOf(relative(src, file)) !== 'cli',
    );
    expect(
      outside.filter((file) => spelled.test(readFileSync(file, 'utf8'))).map((file) => relative(src, file)),
    ).toEqual([]);
  });

  test("gives the linter the plan's rules", () => {
    const config = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
    for (const room of rooms.filter((name) => name !== 'main' && name !== 'cli')) {
      const override = config.overrides.find((entry: { includes: string[] }) =>
        entry.includes.includes(`src/${room}/**`),
      );
      expect(override, `biome.json has no override for src/${room}`).toBeDefined();
      const [, options] = [0, override.linter.rules.style.noRestrictedImports.options];
      expect(options.patterns[0].group).toEqual(linterGroups(room));
    }
  });
});

function linterGroups(room: Room): readonly string[] {
  const groups = forbiddenFor(room).map((other) => `**/${other}/**`);
  return room === 'docker' ? [...groups, 'node:*'] : groups;
}
