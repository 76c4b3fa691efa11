/**
 * The hosts that builds may fetch from, in the engine's own network: files by HTTP, and repositories. Said to who reads a
 * build, and to BuildKit itself, which knows the sources of a build when nobody else does yet.
 */

import type { SourceRule } from '../docker/source-policy.ts';

/** Of a URL: nothing that one reader would take for the host, and another one for something else. */
const PATH = '(?:[/?#].*)?$';
const REMOTE = 'git.fullurl';

export class BuildAddresses {
  /** What BuildKit may fetch, where a rule before them denies everything. */
  readonly sources: readonly SourceRule[];
  private readonly file: RegExp;
  private readonly repository: RegExp;

  /** @param hosts `files.example.org`, `*.example.org`, each also with a port; without one, every port */
  constructor(hosts: readonly string[]) {
    const host = hosts.length === 0 ? '[^\\s\\S]' : `(?:${hosts.map(hostRegex).join('|')})`;
    const file = `^https?://${host}${PATH}`;
    const repository = `^(?:(?:https?|git|ssh)://(?:[^/?#\\\\@]*@)?${host}/|[a-z0-9._-]+@${host}:)`;
    this.file = new RegExp(file, 'i');
    this.repository = new RegExp(repository, 'i');
    this.sources =
      hosts.length === 0
        ? []
        : [
            { action: 'allow', regex: `(?i)${file}` },
            {
              action: 'allow',
              // Two ways to write the same repository have one name; where it is fetched from stands beside it.
              regex: `(?i)^git://${host}${PATH}`,
              where: { key: REMOTE, matches: `(?i)${repository}` },
            },
          ];
  }

  permitsFile(url: string): boolean {
    return this.file.test(url);
  }

  /** A file, or a repository as a build names it. */
  permits(address: string): boolean {
    return this.permitsFile(address) || this.repository.test(address);
  }
}

function hostRegex(pattern: string): string {
  const [, below, host = '', port] = /^(\*\.)?(.*?)(?::([0-9]+))?$/.exec(pattern) ?? [];
  const escaped = host.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `${below === undefined ? '' : '(?:[a-z0-9_-]+\\.)+'}${escaped}${port === undefined ? '(?::[0-9]+)?' : `:${port}`}`;
}
