/** `timeout:` of a step, from the build file to the plan. */
import { expect, test } from 'vitest';
import { describePlan } from '../../src/config/describe.js';
import { load, loadStep, newestSteps, problemsOf, steps } from './config-project.js';

test.each([
  ['timeout: 90s', 90_000],
  ['timeout: 1h30m', 5_400_000],
  ['timeout: "500ms"', 500],
  ['timeout: _env(LIMIT:-2d)', 172_800_000],
  ['timeout: ', undefined],
  ['no_cache: false', undefined],
])('%s is a limit of %s ms', async (keys, timeoutMs) => {
  const step = await loadStep(newestSteps(`a: { name: app, ${keys} }`));
  expect(step.timeoutMs).toBe(timeoutMs);
});

test('--print tells it in full', async () => {
  const { plan } = await load(newestSteps('a: { name: app, timeout: 90m }'));
  expect(describePlan(plan)).toMatchObject({ steps: [{ timeout: '1h30m' }] });
});

test('what is no duration is told with what is', async () => {
  expect(
    await problemsOf(
      newestSteps(`
a: { name: a, timeout: 10 }
b: { name: b, timeout: 0s }
c: { name: c, timeout: -5m }
d: { name: d, timeout: "" }
e: { name: e, timeout: 99999999999999d }
f: { name: f, timeout: [1m] }
`),
    ),
  ).toMatchInlineSnapshot(`
    "build.yml:4:28: error: "timeout" of step "a" must be a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "10"
      4 |     a: { name: a, timeout: 10 }
        |                            ^~
        = leave it out for no limit
    build.yml:5:28: error: "timeout" of step "b" must be a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "0s"
      5 |     b: { name: b, timeout: 0s }
        |                            ^~
        = leave it out for no limit
    build.yml:6:28: error: "timeout" of step "c" must be a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "-5m"
      6 |     c: { name: c, timeout: -5m }
        |                            ^~~
        = leave it out for no limit
    build.yml:7:28: error: "timeout" of step "d" must be a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not ""
      7 |     d: { name: d, timeout: "" }
        |                            ^~
        = leave it out for no limit
    build.yml:8:28: error: "timeout" of step "e" must be a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "99999999999999d"
      8 |     e: { name: e, timeout: 99999999999999d }
        |                            ^~~~~~~~~~~~~~~
        = leave it out for no limit
    build.yml:9:19: error: "timeout" of step "f" must be a text, not a list
      9 |     f: { name: f, timeout: [1m] }
        |                   ^~~~~~~"
  `);
});

test('files of older versions are told which version it needs', async () => {
  expect(await problemsOf(steps('a: { name: a, timeout: 10m }'))).toMatchInlineSnapshot(`
    "build.yml:4:19: error: "timeout" of step "a" needs version 2026-11-22
      4 |     a: { name: a, timeout: 10m }
        |                   ^~~~~~~
        = write "version: 2026-11-22""
  `);
});
