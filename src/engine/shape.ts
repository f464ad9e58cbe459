/** The few fields of answers that a wrong one would let through as `undefined`. */
import { nonsense } from './explain.js';

/** @throws EngineError where the answer is no object with this text */
export function textOf(answer: unknown, key: string, purpose: string): string {
  const value = fieldOf(answer, key);
  if (typeof value !== 'string') throw nonsense(purpose, `its answer has no ${key}`);
  return value;
}

/** @throws EngineError where the answer is no object with this number */
export function numberOf(answer: unknown, key: string, purpose: string): number {
  const value = fieldOf(answer, key);
  if (typeof value !== 'number') throw nonsense(purpose, `its answer has no ${key}`);
  return value;
}

/** @throws EngineError where the answer is no list of objects */
export function listOf(answer: unknown, purpose: string): readonly object[] {
  const isList = Array.isArray(answer) && answer.every((item) => typeof item === 'object' && item !== null);
  if (!isList) throw nonsense(purpose, 'its answer is no list');
  return answer as readonly object[];
}

function fieldOf(answer: unknown, key: string): unknown {
  if (typeof answer !== 'object' || answer === null) return undefined;
  return (answer as Readonly<Record<string, unknown>>)[key];
}
