// Runs one program as a step of the test run: with a deadline, in a process group of its own, ended as a whole.
import { spawn } from 'node:child_process';

const running = new Set();

/**
 * Resolves with {code, output, ms}; a step that is too late, was ended or could not start has a code other than 0.
 * Its output is shown as it comes, or with `quiet` only collected.
 */
export function runStep(program, args, { env = {}, timeoutMs, quiet = false } = {}) {
  const started = Date.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
      // A group of its own: so all that it started can be ended, and Ctrl-C reaches us first.
      detached: true,
    });
    running.add(child);
    let output = '';
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    const deadline = setTimeout(() => {
      console.error(`${program} ${args.join(' ')}: not done after ${timeoutMs / 1000} s`);
      end(child, 'SIGKILL');
    }, timeoutMs);
    function done(code) {
      clearTimeout(deadline);
      running.delete(child);
      resolve({ code, output, ms: Date.now() - started });
    }
    child.once('error', (error) => {
      output += `${error.message}\n`;
      done(127);
    });
    child.once('close', (code) => done(code ?? 1));
    // What a step left running may hold its pipes for ever.
    child.once('exit', (code) => setTimeout(done, 2000, code ?? 1).unref());
  });
}

/** Ends every step that runs; what does not listen is killed 5 s later. */
export function endAll() {
  for (const child of running) {
    end(child, 'SIGTERM');
    setTimeout(() => running.has(child) && end(child, 'SIGKILL'), 5000).unref();
  }
}

function end(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended on its own in between.
  }
}
