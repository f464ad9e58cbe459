import { describe, expect, it } from 'vitest';
import { declaredArgs } from '../../src/dockerfile/args.js';
import { buildkitFeatures } from '../../src/dockerfile/buildkit-features.js';

describe('declared ARGs', () => {
  it.each([
    [
      'global ones and those of stages, each once',
      'ARG A=1\nFROM x\nARG B\nARG A\nFROM y\narg C=2',
      ['A', 'B', 'C'],
    ],
    ['several on a line, with quotes', 'FROM x\nARG A="b C" D=\'e F\' G=h\\ I J', ['A', 'D', 'G', 'J']],
    ['over several lines', 'FROM x\nARG A=1 \\\n  # X=2\n  B', ['A', 'B']],
    ['not those of triggers, comments and heredocs', 'FROM x\nONBUILD ARG A\n# ARG B\nRUN <<E\nARG C\nE', []],
  ])('are %s', (_, text, expected) => {
    expect(declaredArgs(Buffer.from(text))).toEqual(expected);
  });
});

describe('what needs BuildKit', () => {
  it.each([
    ['RUN --mount=type=cache,target=/x --mount=target=/y --network=none x', ['RUN --mount', 'RUN --network']],
    ['RUN --security=insecure x', ['RUN --security']],
    ['RUN <<EOF\nx\nEOF', ['RUN <<EOF']],
    ['COPY <<a --chmod=1 /\na', ['COPY <<EOF']],
    [
      'copy --chmod=644 --link --parents --exclude=x --chown=a --from=b a b',
      ['COPY --chmod', 'COPY --link', 'COPY --parents', 'COPY --exclude'],
    ],
    ['ADD --checksum=x --keep-git-dir=true --chown=a a b', ['ADD --checksum', 'ADD --keep-git-dir']],
    ['FROM --platform=$BUILDPLATFORM b-${TARGETARCH}', ['FROM $BUILDPLATFORM', 'FROM $TARGETARCH']],
    [
      'RUN x --mount=y\nCOPY --from=a --chown=b x /\nHEALTHCHECK --interval=1s CMD x\nFROM --platform=linux/amd64 a',
      [],
    ],
    ['ONBUILD RUN --mount=target=/x x', []],
  ])('in %j is %j', (text, expected) => {
    const features = buildkitFeatures(Buffer.from(`FROM a\n\n${text}`));
    expect(features).toEqual(expected.map((feature) => ({ feature, line: 3 })));
  });

  it('is not a platform variable that has a default of its own', () => {
    expect(buildkitFeatures(Buffer.from('ARG TARGETARCH=amd64\nFROM a-$TARGETARCH'))).toEqual([]);
    expect(buildkitFeatures(Buffer.from('ARG TARGETARCH\nFROM a-$TARGETARCH'))).toEqual([
      { feature: 'FROM $TARGETARCH', line: 2 },
    ]);
  });
});
