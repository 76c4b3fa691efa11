/** The version of this program, from its package. */

import { readFileSync } from 'node:fs';

// package.json lies one folder above both src/ and dist/.
const manifest = new URL('../../package.json', import.meta.url);

export const version: string = (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
