/** The fake engine keeps the same contract as the real ones, so that tests on it mean something. */
import { describeEngineContract } from '../support/engine-contract.js';
import { FakeEngine } from '../support/fake-engine.js';

describeEngineContract(
  'the fake engine',
  () => {
    const engine = new FakeEngine();
    return Promise.resolve({
      engine,
      countMarked: (value) => {
        const marked = [...engine.images.values()].filter(({ labels }) => labels['contract'] === value);
        const running = [...engine.containers.values()].filter(
          ({ request }) => request.labels['contract'] === value,
        );
        return Promise.resolve(marked.length + running.length);
      },
    });
  },
  ['classic', 'buildkit'],
);
