/** Commands as somebody types them, within the test's own process. */
import { commands } from '../../../src/cli/commands.ts';
import { run } from '../../../src/cli/program.ts';

export async function berthgate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const terminal = {
    env: { HOME: '/home/somebody' },
    uid: 1000,
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  };
  return { code: await run(args, commands, terminal), out, err };
}
