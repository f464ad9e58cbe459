/** `command_cache:` of a step, from the build file to the plan. */
import { expect, test } from 'vitest';
import { describePlan } from '../../src/config/describe.js';
import { load, loadStep, newestSteps, problemsOf, steps } from './config-project.js';

test.each([
  ['command: make test, command_cache: true', true],
  ['command: make test, command_cache: yes', true],
  ['command: make test, command_cache: false', false],
  ['command: make test, command_cache: ""', false],
  ['command: make test', false],
  ['command_cache: false', false],
])('with %s the command is left out where it has succeeded before: %s', async (keys, commandCache) => {
  const step = await loadStep(newestSteps(`a: { name: app, ${keys} }`));
  expect(step.commandCache).toBe(commandCache);
});

test('--print tells it where it is so', async () => {
  const { plan } = await load(
    newestSteps('a: { name: a, command: x, command_cache: true }\nb: { name: b, command: x }'),
  );
  expect(describePlan(plan)).toMatchObject({
    steps: [{ command: 'x', command_cache: true }, { command: 'x' }],
  });
  expect(JSON.stringify(describePlan(plan)).match(/command_cache/g)).toHaveLength(1);
});

test('without a command it is refused; a command that is wrong is told alone', async () => {
  expect(
    await problemsOf(
      newestSteps(`
a: { name: a, command_cache: true }
b: { name: b, command: "", command_cache: true }
c: { name: c, command: [x], command_cache: true }
d: { name: d, command: x, command_cache: sometimes }
`),
    ),
  ).toMatchInlineSnapshot(`
    "build.yml:4:19: error: "command_cache" of step "a" has no command to leave out
      4 |     a: { name: a, command_cache: true }
        |                   ^~~~~~~~~~~~~
        = add "command:", or remove it
    build.yml:5:32: error: "command_cache" of step "b" has no command to leave out
      5 |     b: { name: b, command: "", command_cache: true }
        |                                ^~~~~~~~~~~~~
        = add "command:", or remove it
    build.yml:6:19: error: "command" of step "c" must be a text, not a list
      6 |     c: { name: c, command: [x], command_cache: true }
        |                   ^~~~~~~
    build.yml:7:46: error: "command_cache" of step "d" must be true or false, not "sometimes"
      7 |     d: { name: d, command: x, command_cache: sometimes }
        |                                              ^~~~~~~~~"
  `);
});

test('files of older versions are told which version it needs', async () => {
  expect(await problemsOf(steps('a: { name: a, command: x, command_cache: true }'))).toMatchInlineSnapshot(`
    "build.yml:4:31: error: "command_cache" of step "a" needs version 2026-11-22
      4 |     a: { name: a, command: x, command_cache: true }
        |                               ^~~~~~~~~~~~~
        = write "version: 2026-11-22""
  `);
});
