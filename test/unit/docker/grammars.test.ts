import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bind, volumesFrom } from '../../../src/docker/grammars/bind.ts';
import { addedCapability } from '../../../src/docker/grammars/capability.ts';
import { containerMode } from '../../../src/docker/grammars/container-mode.ts';
import { environmentVariable } from '../../../src/docker/grammars/env.ts';
import { extraHost } from '../../../src/docker/grammars/extra-host.ts';
import { containerPath, link } from '../../../src/docker/grammars/link.ts';
import { networkMode } from '../../../src/docker/grammars/network-mode.ts';
import { port } from '../../../src/docker/grammars/port.ts';
import { psArguments } from '../../../src/docker/grammars/ps-arguments.ts';
import { securityOption } from '../../../src/docker/grammars/security-opt.ts';
import { tmpfsOptions } from '../../../src/docker/grammars/tmpfs-options.ts';
import { logDriver, restartPolicyName } from '../../../src/docker/grammars/words.ts';
import type { Mark } from '../../../src/docker/marks.ts';
import type { Grammar } from '../../../src/docker/shape.ts';
import { table } from '../../../src/docker/table.ts';
import { grammarsOf } from './places.ts';

const grammars = grammarsOf(table);

/** Texts that look as if they were of some language: words that grammars know, with their separators. */
const lookalike = fc
  .array(
    fc.oneof(
      fc.constantFrom(':', '/', ',', '=', '@', '-', '.', '', ' ', '::', '//', '..', '~'),
      fc.constantFrom('container', 'host', 'none', 'default', 'ro', 'rw', 'z', 'rshared', 'nocopy', 'size', 'label'),
      fc.constantFrom('web', 'data', 'etc', '80', 'tcp', 'ENV', 'FROM', 'https', 'git', 'sha256', 'no-new-privileges'),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 9 },
  )
  .map((pieces) => pieces.join(''));

/** `text<mark mark>` for each part that has marks, and the bare text for the others. */
function show(grammar: Grammar, text: string): string | null {
  const parts = grammar.split(text);
  return parts === null ? null : parts.map(({ text: piece, marks }) => piece + mentioned(marks)).join('');
}

function mentioned(marks: readonly Mark[]): string {
  return marks.length === 0 ? '' : `<${marks.map((mark) => ('kind' in mark ? mark.kind : mark.mark)).join(' ')}>`;
}

describe.each(grammars.map((grammar) => [grammar.name, grammar] as const))('the grammar %s', (_name, grammar) => {
  it('splits a text into parts that are the text again, with marks that it has declared', () => {
    fc.assert(
      fc.property(fc.oneof(lookalike, fc.string(), fc.string({ unit: 'binary' })), (text) => {
        const parts = grammar.split(text);
        if (parts === null) return;
        expect(parts.map((part) => part.text).join('')).toBe(text);
        for (const mark of parts.flatMap(({ marks }) => marks)) expect(grammar.marks).toContainEqual(mark);
      }),
    );
  });

  it('says how it is written', () => {
    expect(grammar.form).not.toBe('');
  });
});

it('the table uses the grammars that are tested here', () => {
  expect(grammars.length).toBeGreaterThan(20);
});

describe('the meaning of', () => {
  const cases: readonly (readonly [Grammar, string, string | null])[] = [
    [bind, '/etc:/mnt', '/etc<host-path>:/mnt<own>'],
    [bind, '//etc:/mnt:ro', '//etc<host-path>:/mnt<own>:ro<own>'],
    [bind, '/a/../etc:/mnt', '/a/../etc<host-path>:/mnt<own>'],
    [bind, 'data:/mnt', 'data<volume volume borrows>:/mnt<own>'],
    [bind, 'data:/mnt:rw,z', 'data<volume volume borrows>:/mnt<own>:rw<own>,z<own>'],
    [bind, '/srv:/mnt:z', '/srv<host-path>:/mnt<own>:z<privilege>'],
    [bind, '/srv:/mnt:rshared', '/srv<host-path>:/mnt<own>:rshared<privilege>'],
    [bind, '/cache', '/cache<own>'],
    [bind, 'cache', null],
    [bind, './src:/src', null],
    [bind, '~/src:/src', null],
    [bind, '../etc:/mnt', null],
    [bind, 'data:/mnt:ro:x', null],
    [bind, 'data:/mnt:exec', null],
    [bind, ':/mnt', null],
    [volumesFrom, 'web', 'web<container borrows>'],
    [volumesFrom, 'web:ro', 'web<container borrows>:ro<own>'],
    [volumesFrom, 'web:Z', 'web<container borrows>:Z<privilege>'],
    [volumesFrom, 'web:rshared', null],
    [link, 'web:db', 'web<container borrows>:db<address>'],
    [link, 'web', 'web<container borrows>'],
    [link, '/web:/app/db', '/web<container borrows>:/app<container>/db<address>'],
    [link, 'a:b:c', null],
    [link, ':b', null],
    [containerPath, '/web', '/web<container>'],
    [containerPath, '/app/db', '/app<container>/db<address>'],
    [containerPath, 'web', null],
    [containerMode('pid-mode', ['']), 'container:web', 'container:web<container borrows privilege>'],
    [containerMode('pid-mode', ['']), 'host', 'host<privilege>'],
    [networkMode, 'host', 'host<privilege>'],
    [networkMode, 'container:web', 'container:web<container borrows privilege>'],
    [networkMode, 'container', 'container<privilege>'],
    [networkMode, 'bridge', 'bridge<network borrows>'],
    [networkMode, 'none', 'none<own>'],
    [networkMode, 'Host', 'Host<network borrows>'],
    [environmentVariable, 'A=b=c', 'A<env own>=b=c<own>'],
    [environmentVariable, 'A', 'A<env own>'],
    [addedCapability, 'NET_BIND_SERVICE', 'NET_BIND_SERVICE<own>'],
    [addedCapability, 'cap_chown', 'cap_chown<own>'],
    [addedCapability, 'SYS_ADMIN', 'SYS_ADMIN<privilege>'],
    [addedCapability, 'ALL', 'ALL<privilege>'],
    [addedCapability, 'CAP_CAP_CHOWN', 'CAP_CAP_CHOWN<privilege>'],
    [addedCapability, 'k\u0131ll', 'k\u0131ll<privilege>'],
    [securityOption, 'no-new-privileges', 'no-new-privileges<own>'],
    [securityOption, 'no-new-privileges:true', 'no-new-privileges:true<own>'],
    [securityOption, 'no-new-privileges=false', 'no-new-privileges=false<privilege>'],
    [securityOption, 'no-new-privileges:a=true', 'no-new-privileges:a=true<privilege>'],
    [securityOption, 'seccomp:unconfined', 'seccomp:unconfined<privilege>'],
    [securityOption, 'apparmor=unconfined', 'apparmor=unconfined<privilege>'],
    [securityOption, 'label=type:spc_t', 'label=type:spc_t<privilege>'],
    [securityOption, 'systempaths=unconfined', 'systempaths=unconfined<privilege>'],
    [securityOption, 'disable', 'disable<privilege>'],
    [securityOption, 'writable-cgroups', 'writable-cgroups<privilege>'],
    [securityOption, 'credentialspec=file://x', 'credentialspec=file://x<privilege>'],
    [extraHost, 'db:10.0.0.2', 'db<address>:10.0.0.2<address>'],
    [extraHost, 'db:::1', 'db<address>:::1<address>'],
    [extraHost, 'up:host-gateway', 'up<address>:host-gateway<privilege>'],
    [extraHost, 'db', null],
    [port, '80/tcp', '80/tcp<own>'],
    [port, '8000-8010/udp', '8000-8010/udp<own>'],
    [port, '80/icmp', null],
    [tmpfsOptions, 'size=64m,exec', 'size=64m<resource>,exec<own>'],
    [tmpfsOptions, 'suid', 'suid<privilege>'],
    [tmpfsOptions, 'size', 'size<privilege>'],
    [psArguments, 'aux', 'aux<own>'],
    [psArguments, '-eo pid,comm', '-eo pid,comm<own>'],
    [psArguments, '-eo pid=X', '-eo pid=X<privilege>'],
    [psArguments, '-e --sort pid', '-e --sort pid<privilege>'],
    [logDriver, 'json-file', 'json-file<own>'],
    [logDriver, 'syslog', 'syslog<privilege>'],
    [restartPolicyName, 'always', 'always<privilege>'],
    [restartPolicyName, 'Always', null],
  ];

  it.each(cases)('$name %s', (grammar, text, meaning) => {
    expect(show(grammar, text)).toBe(meaning);
  });
});
