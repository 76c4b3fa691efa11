// kill -9 at a sample of steps, on the oldest engine.
import { engines, newestEngine } from '../engines/index.ts';
import { describeKills } from './kills.ts';

describeKills('sample', (engine) => engine.socket !== '' && engine === engines()[0] && engine !== newestEngine());
