/** The package as the program sees it, for tests of the command line: only what a test asks for answers. */
import type { Library } from '../../src/cli/world.js';

const unasked = () => Promise.reject(new Error('another command was asked for'));

export function fakeLibrary(asked: Partial<Library>): Library {
  return {
    build: unasked,
    squash: unasked,
    checkImage: unasked,
    prove: unasked,
    listSessions: unasked,
    collectGarbage: unasked,
    ...asked,
  };
}
