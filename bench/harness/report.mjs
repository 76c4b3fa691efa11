// What a benchmark prints: the machine, a table for each work, the aims and whether they are reached; and all of it as JSON.

import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { findProgram, firstLineOf } from './programs.mjs';

export class Report {
  constructor(name) {
    this.name = name;
    this.machine = {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores: os.cpus().length,
      kernel: os.release(),
      node: process.version,
      haproxy: versionOf('haproxy', '-v'),
      go: versionOf('go', 'version'),
      loadBefore: os.loadavg()[0],
    };
    this.works = [];
    this.aims = [];
  }

  /** `columns`: `{key, title, digits}` of the medians; `rows`: `{name, figures}`. */
  table(title, columns, rows) {
    this.works.push({ title, rows: rows.map(({ name, figures }) => ({ name, ...figures })) });
    const head = ['', ...columns.map(({ title }) => title)];
    const lines = rows.map(({ name, figures }) => [
      name,
      ...columns.map(({ key, digits = 2 }) => (Number.isFinite(figures[key]) ? figures[key].toFixed(digits) : '-')),
    ]);
    const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => line[i].length)));
    const print = (cells) =>
      `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
    console.log(`\n${title}\n`);
    console.log(print(head));
    console.log(
      `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`,
    );
    for (const line of lines) console.log(print(line));
  }

  /** `atLeast` or `atMost` is the aim. */
  aim(what, value, { atLeast, atMost }) {
    const reached = atLeast === undefined ? value <= atMost : value >= atLeast;
    this.aims.push({ what, value, ...(atLeast === undefined ? { atMost } : { atLeast }), reached });
  }

  finish(jsonFile) {
    const machine = { ...this.machine, loadAfter: os.loadavg()[0] };
    if (this.aims.length > 0) console.log('\nAims\n');
    for (const { what, value, atLeast, atMost, reached } of this.aims) {
      const wanted = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
      console.log(`${reached ? 'reached    ' : 'NOT reached'}  ${value.toFixed(2).padStart(7)}  (${wanted})  ${what}`);
    }
    const { cores, cpu, node, loadBefore, loadAfter } = machine;
    console.log(
      `\n${cores} cores of ${cpu}, Node ${node}, load ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after`,
    );
    if (jsonFile !== undefined) {
      const { name, works, aims } = this;
      writeFileSync(jsonFile, `${JSON.stringify({ name, machine, works, aims }, null, 2)}\n`);
    }
  }
}

function versionOf(program, ...args) {
  const path = findProgram(program);
  return path === null ? null : firstLineOf(path, ...args);
}
