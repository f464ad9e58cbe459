/** `npm run engine -- up|down|status [NAME…]`: manages the private engines. */

import { prepare } from './prepare.js';

prepare();
await import('../dist/lab/manage.js');
