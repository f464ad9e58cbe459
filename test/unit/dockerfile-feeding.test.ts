/** Which stages an image has files of, besides those that it is built on. */
import { describe, expect, it } from 'vitest';
import { feedingStages, type StageInstruction } from '../../src/dockerfile/feeding-stages.js';

type IsWanted = (instruction: StageInstruction) => boolean;

const all: IsWanted = () => true;

function names(lines: readonly string[], target?: string, isWanted = all): readonly string[] {
  const options = { buildArgs: {}, ...(target !== undefined && { target }) };
  return feedingStages(Buffer.from(lines.join('\n')), options, isWanted).map(({ name }) => name);
}

describe('the stages that files come from', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ['none where there is one', ['FROM a', 'COPY x /'], []],
    ['one by its name, in any case', ['FROM a AS One', 'FROM a', 'COPY --from=ONE /x /'], ['one']],
    ['one by its number', ['FROM a', 'FROM b', 'COPY --from=0 /x /'], ['stage-0']],
    ['one that is mounted', ['FROM a AS one', 'FROM a', 'RUN --mount=from=one,target=/o true'], ['one']],
    ['no image', ['FROM a AS one', 'FROM a', 'COPY --from=busybox /x /'], []],
    ['no later stage', ['FROM a', 'COPY --from=one /x /', 'FROM a AS one'], []],
    [
      'none that is not asked for',
      ['FROM a AS one', 'FROM a AS two', 'FROM a', 'COPY --from=two / /'],
      ['two'],
    ],
    [
      'those behind them',
      ['FROM a AS one', 'FROM a AS two', 'COPY --from=one / /', 'FROM a', 'COPY --from=two / /'],
      ['one', 'two'],
    ],
    [
      'those that they are built on',
      ['FROM a AS one', 'FROM one AS two', 'FROM a', 'COPY --from=two / /'],
      ['one', 'two'],
    ],
    [
      'none that the image itself is built on, whose layers it has',
      ['FROM a AS one', 'FROM one AS two', 'FROM one', 'COPY --from=two / /'],
      ['two'],
    ],
    [
      'those of what the image is built on',
      ['FROM a AS one', 'FROM a AS two', 'COPY --from=one / /', 'FROM two'],
      ['one'],
    ],
  ])('%s', (_, lines, expected) => {
    expect(names(lines)).toEqual(expected);
  });

  it('stop at the target', () => {
    const lines = [
      'FROM a AS one',
      'FROM a AS two',
      'COPY --from=one / /',
      'FROM a AS three',
      'COPY --from=two / /',
    ];
    expect(names(lines, 'two')).toEqual(['one']);
    expect(names(lines, 'one')).toEqual([]);
  });

  it('are those of wanted instructions alone, but all that is behind them', () => {
    const lines = [
      'FROM a AS one',
      'FROM a AS two',
      'COPY --from=one /deep /',
      'FROM a AS three',
      'FROM a',
      'COPY --from=two /wanted /',
      'COPY --from=three /other /',
    ];
    expect(names(lines, undefined, ({ operands }) => operands === '/wanted /')).toEqual(['one', 'two']);
  });

  it('tell their instructions without flags, lists as words, heredocs by their mark', () => {
    const lines = [
      'FROM a AS one',
      'RUN --network=none ["make", "it  all"]',
      'RUN <<END',
      'true',
      'END',
      'FROM a',
      'COPY --from=one / /',
    ];
    const [stage] = feedingStages(Buffer.from(lines.join('\n')), { buildArgs: {} }, all);
    expect(stage?.instructions).toEqual([
      { keyword: 'run', operands: 'make it  all', hasHeredoc: false },
      { keyword: 'run', operands: '<<END', hasHeredoc: true },
    ]);
  });
});
