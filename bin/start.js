/** `npm start`: a fresh clone becomes a finished build of the main example. */

import { prepare } from './prepare.js';

prepare();
await import('../dist/lab/start.js');
