/** Every call of builds by BuildKit is broken, in turn: the table is in docs/faults.md. */
import { subjects } from '../support/build-project.js';
import { describeFaults } from '../support/fault-suite.js';

for (const subject of subjects().filter(({ builder }) => builder === 'buildkit')) {
  if (subject.engine.name !== 'e20') describeFaults(subject, subject.engine.name === 'e28c' ? 'few' : 'each');
}
