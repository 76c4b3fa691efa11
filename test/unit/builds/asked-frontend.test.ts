import { describe, expect, test } from 'vitest';
import { askedFrontend, Frontends } from '../../../src/builds/buildkit/asked-frontend.ts';
import { printMessage } from '../../../src/docker/protobuf.ts';
import { filePacket } from '../../../src/docker/shapes/buildkit.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

describe('the frontend that a Dockerfile asks for', () => {
  test.each([
    ['# syntax=docker/dockerfile:1\nFROM x\n', 'docker/dockerfile:1'],
    ['#syntax = a/b\r\nFROM x\n', 'a/b'],
    ['\ufeff# escape=`\n# SYNTAX=a/b:c@sha256:00\nFROM x\n', 'a/b:c@sha256:00'],
    ['#!/usr/bin/env docker\n# syntax=a/b', 'a/b'],
    ['FROM x\n# syntax=a/b\n', null],
    ['# a comment\n# syntax=a/b\n', null],
    ['\n# syntax=a/b\n', null],
    ['RUN echo "# syntax=a/b"\n', null],
  ])('%j', (text, image) => expect(askedFrontend(latin1(text))).toBe(image));

  test.each([
    ['docker/dockerfile', true],
    ['docker/dockerfile:1.7-labs', true],
    ['docker.io/docker/dockerfile:1', true],
    ['docker/dockerfile-upstream:master', false],
    ['r.example.org/docker/dockerfile', false],
    ['r.example.org/frontends/own:2', true],
    ['r.example.org/frontends/own:3', false],
    ['NOT A NAME', false],
  ])('may be %s: %s', (image, may) =>
    expect(new Frontends(['docker/dockerfile', 'r.example.org/frontends/*:2']).permits(image)).toBe(may),
  );

  test('is looked for where a file begins, and what is not served does not pass', () => {
    const judge = new Frontends(['docker/dockerfile']).watch();
    const packet = (fields: object): Uint8Array => printMessage(filePacket, fields as never);
    const passed = [
      packet({ Type: 0, Stat: latin1('\n\u000aDockerfile') }),
      packet({ Type: 2, ID: 1, Data: '# syntax=docker/dockerfile:1\nFROM x\n' }),
      packet({ Type: 2, ID: 1, Data: '# syntax=evil/x\n' }),
      packet({ Type: 2, ID: 1 }),
      packet({ Type: 3 }),
    ];
    for (const one of passed) expect(judge(one)).toBeNull();
    expect(judge(packet({ Type: 2, ID: 2, Data: '# syntax=evil/x\n' }))).toContain(
      '# syntax=evil/x is not served here',
    );
  });
});
