import { expect, test } from 'vitest';
import { load } from './config-project.js';

/** The shapes of files that users of the original have, each with the steps that come out. */
test.each([
  [
    'artifacts, cleanup and depends_on by an image name',
    `build:
  version: 2016-03-14
  steps:
    builder:
      name: builder
      dockerfile: Dockerfile
      artifacts:
        - /go/src/example.com/iron/iron-mountain
        - /go/src/example.com/iron/config.json
      cleanup:
        commands:
          - rm -rf /root/.ssh/
    deployment:
      name: ironmountain
      dockerfile: Dockerfile
      depends_on:
        - builder
    uploader:
      name: uploader
      dockerfile: Dockerfile
      depends_on:
        - ironmountain
      command: s3cmd --access_key=_env(KEY) put /app/iron-mountain s3://bucket
`,
    ['builder', 'deployment < builder', 'uploader < deployment'],
  ],
  [
    'one space of indentation and a comment behind the version',
    `build:
 version: 2016-03-14 # version of the build schema.
 steps:
  builder:
    name: builder
  production:
    name: prodstuff
    depends_on:
      - builder`,
    ['builder', 'production < builder'],
  ],
  [
    'a name from the environment and a secret',
    `build:
  version: 2016-03-14
  steps:
    step1:
      name: _env(KEY)
      no_cache: true
      secrets:
        id_rsa:
          type: file
          value: _env(KEY)/.ssh/id_rsa`,
    ['step1'],
  ],
  [
    'the list of steps of early files in the first version',
    `build:
  version: 2016-02-13
  steps:
    - builder:
      name: builder
      artifacts:
        - /go/bin/app:.
    - final:
      name: final
      depends_on:
        - builder
`,
    ['builder', 'final < builder'],
  ],
])('%s: the file goes on working', async (_, file, expected) => {
  const env = { source: 'process', variables: new Map([['KEY', 'key']]) } as const;
  const { plan, warnings } = await load(file, { env });
  const told = plan.steps.map(({ label, dependsOn }) => [label, ...dependsOn].join(' < '));
  expect([told, warnings]).toEqual([expected, []]);
});
