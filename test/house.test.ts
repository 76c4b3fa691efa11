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

test('no field of Docker is spelled outside of the table', () => {
  const fields = new Set(
    files
      .filter((file) => relative(src, file).startsWith('docker'))
      .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/(?:^\s+|[{,] )([A-Z][A-Za-z0-9]+): /gm)])
      .map(([, field]) => field),
  );
  expect(fields.size).toBeGreaterThan(300);
  const spelled = files
    .filter((file) => !relative(src, file).startsWith('docker'))
    .flatMap((file) => {
      const code = readFileSync(file, 'utf8').replace(/^import .*$|\/\*[\s\S]*?\*\/|\/\/.*$|'[^'\n]*'/gm, '');
      const found = [...code.matchAll(/\b(?!(?:http2|net)\.)[a-z]\w*\??\.([A-Z][A-Za-z0-9]+)\b/g)];
      return found.filter(([, field]) => fields.has(field)).map(([text]) => `${relative(src, file)}: ${text}`);
    });
  expect(spelled).toEqual([]);
});

test('every link of the documentation leads to a page and a heading that are there', () => {
  const pages = [
    ...['README.md', 'CHANGELOG.md'].map((name) => join(root, name)),
    ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(root, 'docs', name)),
  ];
  expect(pages.length).toBeGreaterThan(20);
  const dead = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
      .filter(([, path = '', heading]) => {
        const target = path === '' ? page : resolve(dirname(page), path);
        if (statSync(target, { throwIfNoEntry: false }) === undefined) return true;
        return heading !== undefined && !anchorsOf(target).has(heading);
      })
      .map(([link]) => `${relative(root, page)}: ${link}`),
  );
  expect(dead).toEqual([]);
});

function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  const explicit = [...readFileSync(page, 'utf8').matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = '']) => id);
  const slugs = headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set([...slugs, ...explicit]);
}
