/** What tests that run at the same time leave to be removed: Vitest's own hooks in a test are not for concurrent ones. */
import { afterAll } from 'vitest';

const tasks: (() => unknown)[] = [];

/** Run once all tests of the file have ended, latest first. */
export function atEnd(task: () => unknown): void {
  tasks.push(task);
}

afterAll(async () => {
  for (const task of tasks.reverse()) await task();
});
