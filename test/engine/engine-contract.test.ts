/** The real adapter keeps the contract on every engine, with every builder. */
import { describeEngineContract } from '../support/engine-contract.js';
import { engines } from '../support/engines.js';
import { realEngine } from '../support/real-engine.js';

for (const engine of engines()) {
  describeEngineContract(engine.name, () => realEngine(engine), engine.builders);
}
