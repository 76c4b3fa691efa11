// kill -9 at every step, on the newest engine.
import { newestEngine } from '../engines/index.ts';
import { describeKills } from './kills.ts';

describeKills('all', (engine) => engine.socket !== '' && engine === newestEngine());
