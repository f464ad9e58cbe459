/** Before tests that run the program: compiles what has changed, so that no old program is tested. */
export { prepare as default } from '../../bin/prepare.js';
