/** Every call of builds by the classic builder is broken, in turn: the table is in docs/faults.md. */
import { subjects } from '../support/build-project.js';
import { describeFaults } from '../support/fault-suite.js';

for (const subject of subjects().filter(({ builder }) => builder === 'classic')) {
  if (subject.engine.name !== 'e28c') describeFaults(subject, subject.engine.name === 'e20' ? 'few' : 'each');
}
