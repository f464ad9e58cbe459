import { describe, expect, it } from 'vitest';
import { findImageReferences, stageNames } from '../../src/dockerfile/references.js';

type Options = Partial<Parameters<typeof findImageReferences>[1]>;

/** The images of a Dockerfile, each with the operand as written where that differs. */
function images(text: string, options: Options = {}): readonly string[] {
  const content = Buffer.from(text, 'utf8');
  return findImageReferences(content, { buildArgs: {}, ...options }).map(({ image, start, end }) => {
    const written = content.toString('utf8', start, end);
    return written === image ? image : `${image} (${written})`;
  });
}

describe('where an image is named', () => {
  it.each([
    ['FROM', 'FROM a', ['a']],
    [
      'FROM with a tag, a digest, a registry',
      'FROM r.io:5000/a/b:1@sha256:00',
      ['r.io:5000/a/b:1@sha256:00'],
    ],
    ['FROM with a platform and a name', 'FROM --platform=$BUILDPLATFORM a AS b', ['a']],
    ['keywords in any case', 'from a as b\nfRoM c aS d\ncOpY --from=e / /', ['a', 'c', 'e']],
    ['COPY --from', 'FROM a\nCOPY --from=b /x /y', ['a', 'b']],
    ['COPY --from among other flags', 'FROM a\nCOPY --link --from=b --chown=c:d /x /y', ['a', 'b']],
    ['ADD --from', 'FROM a\nADD --from=b /x /y', ['a', 'b']],
    [
      'RUN --mount',
      'FROM a\nRUN --mount=type=bind,from=b,target=/b --mount=from=c,target=/c x',
      ['a', 'b', 'c'],
    ],
    [
      'mount options in any case, the last from counts',
      'FROM a\nRUN --mount=FROM=b,From=c,target=/c x',
      ['a', 'c'],
    ],
    ['mount options with quotes', 'FROM a\nRUN --mount="from=b,target=/c d" x', ['a', 'b']],
    ['CSV quotes inside mount options', 'FROM a\nRUN --mount=\\"target=/b,c\\",\\"from=d\\" x', ['a', 'd']],
    ['flags behind the command are its own', 'FROM a\nRUN x --mount=from=b\nCOPY x --from=c /', ['a']],
    ['flags behind -- are operands', 'FROM a\nCOPY -- --from=b /', ['a']],
    ['flags of other instructions', 'FROM a\nENV --from=b c\nLABEL --from=b', ['a']],
    ['flags with other names', 'FROM a\nCOPY --FROM=b --from-x=c x /', ['a']],
    ['white space of every kind', '\t FROM\t\va \f\r\nCOPY \t--from=b\tx /', ['a', 'b']],
    ['no line break at the end, carriage returns', 'FROM a\r\nCOPY --from=b x y\r', ['a', 'b']],
    ['comments and empty lines', '# FROM x\n\n  # FROM y\nFROM a\n#COPY --from=z', ['a']],
    ['a byte order mark', '\ufeffFROM a', ['a']],
    [
      'ONBUILD belongs to the build where it fires',
      'FROM a\nONBUILD COPY --from=b x /\nONBUILD RUN --mount=from=c x',
      ['a'],
    ],
    ['an unknown instruction is left to the engine', 'FROM a\nFROMAGE b\nCOPYCAT --from=c', ['a']],
  ])('%s', (_, text, expected) => {
    expect(images(text)).toEqual(expected);
  });
});

describe('stages', () => {
  it.each([
    [
      'an earlier stage is no image, in any case',
      'FROM a AS Build\nFROM build\nCOPY --from=BUILD x /\nRUN --mount=from=buILd x',
      ['a'],
    ],
    ['a stage may be named like its image', 'FROM a AS a\nFROM a\nCOPY --from=a x /', ['a']],
    ['a later stage is no stage yet', 'FROM a\nCOPY --from=b x /\nFROM c AS b', ['a', 'b', 'c']],
    ['the stage itself is no stage yet', 'FROM a AS b\nCOPY --from=b x /', ['a', 'b']],
    ['a number is a stage in COPY', 'FROM a\nFROM b\nCOPY --from=0 x /\nCOPY --from=+1 x /', ['a', 'b']],
    ['a number is an image in FROM and in mounts', 'FROM 0\nRUN --mount=from=1,target=/x x', ['0', '1']],
    ['a stage with a tag is an image', 'FROM a AS b\nFROM b:1', ['a', 'b:1']],
    [
      'scratch is no image',
      'FROM scratch\nCOPY --from=scratch x /\nRUN --mount=from=scratch,target=/x x',
      [],
    ],
    [
      'nothing behind from= means the context',
      'FROM a\nCOPY --from= x /\nCOPY --from="" x /\nRUN --mount=from=,target=/x x',
      ['a'],
    ],
  ])('%s', (_, text, expected) => {
    expect(images(text)).toEqual(expected);
  });

  const three = 'FROM a AS one\nFROM b AS Two\nCOPY --from=c x /\nFROM d\n';

  it('behind the target do not count, those before it do', () => {
    expect(images(three, { target: 'one' })).toEqual(['a']);
    expect(images(three, { target: 'TWO' })).toEqual(['a', 'b', 'c']);
  });

  it('all count without a target or with one that is not there', () => {
    expect(images(three)).toEqual(['a', 'b', 'c', 'd']);
    expect(images(three, { target: 'three' })).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are listed by name in lower case', () => {
    expect(stageNames(Buffer.from(three))).toEqual(['one', 'two']);
  });
});

describe('variables in FROM', () => {
  it.each<[string, string, Options['buildArgs'], readonly string[]]>([
    ['a global ARG', 'ARG V=1\nFROM a:$V', {}, ['a:1 (a:$V)']],
    ['a build arg goes before the default', 'ARG V=1\nFROM a:${V}', { V: '2' }, ['a:2 (a:${V})']],
    ['a build arg needs an ARG', 'FROM a$V', { V: '2' }, ['a (a$V)']],
    ['an ARG without default and build arg is unset', 'ARG V\nFROM a${V-b}', {}, ['ab (a${V-b})']],
    ['an ARG without default keeps an earlier value', 'ARG V=1\nARG V\nFROM a$V', {}, ['a1 (a$V)']],
    ['an ARG of a stage does not count', 'FROM a\nARG V=1\nFROM b$V', {}, ['a', 'b (b$V)']],
    ['several on a line, used by later ones', 'ARG A=1 B=${A}2\nFROM x:$B', {}, ['x:12 (x:$B)']],
    [
      'quotes and escapes in defaults',
      'ARG A="b c" B=\'$A\' C=\\$A\nFROM x${A#b?}$C',
      {},
      ['xc$A (x${A#b?}$C)'],
    ],
    ['a name in any quotes', 'FROM "a"\'b\'\\c', {}, ['abc ("a"\'b\'\\c)']],
    [
      ':- for unset or empty',
      'ARG E=\nFROM ${X:-a}\nFROM b${E:-c}\nFROM d${E-e}',
      {},
      ['a (${X:-a})', 'bc (b${E:-c})', 'd (d${E-e})'],
    ],
    [
      ':+ for set',
      'ARG V=1\nARG E=\nFROM a${V:+b}${E:+c}${E+d}${X+e}',
      {},
      ['abd (a${V:+b}${E:+c}${E+d}${X+e})'],
    ],
    [':? for set', 'ARG V=1\nFROM a${V:?no}${V?no}', {}, ['a11 (a${V:?no}${V?no})']],
    ['nested', 'ARG V=1\nFROM ${X:-a${Y:-b$V}}', {}, ['ab1 (${X:-a${Y:-b$V}})']],
    ['# and ## cut the beginning', 'ARG V=a.b.c\nFROM ${V#*.}-${V##*.}', {}, ['b.c-c (${V#*.}-${V##*.})']],
    ['% and %% cut the end', 'ARG V=a.b.c\nFROM ${V%.*}-${V%%.*}', {}, ['a.b-a (${V%.*}-${V%%.*})']],
    ['/ and // replace', 'ARG V=a.b.c\nFROM ${V/./-}_${V//./-}', {}, ['a-b.c_a-b-c (${V/./-}_${V//./-})']],
    ['an escaped $ is none', 'ARG V=1\nFROM a\\$V', {}, ['a$V (a\\$V)']],
    ['a variable that names a stage', 'ARG V=b\nFROM a AS b\nFROM $V', {}, ['a']],
    ['the escape directive', '# escape=`\nARG V=1\nFROM a`$V\\', {}, ['a$V\\ (a`$V\\)']],
  ])('%s', (_, text, buildArgs, expected) => {
    expect(images(text, { buildArgs: buildArgs ?? {} })).toEqual(expected);
  });

  it('of the platform are unset unless a platform is given', () => {
    const text = 'FROM --platform=$BUILDPLATFORM a-$TARGETARCH${TARGETVARIANT} AS x\nFROM b-$TARGETSTAGE';
    const written = ['a-$TARGETARCH${TARGETVARIANT}', 'b-$TARGETSTAGE'] as const;
    expect(images(text)).toEqual([`a- (${written[0]})`, `b- (${written[1]})`]);
    expect(images(text, { platform: 'linux/arm/v7' })).toEqual([
      `a-armv7 (${written[0]})`,
      `b-default (${written[1]})`,
    ]);
    expect(images(text, { platform: 'linux/amd64', buildArgs: { TARGETARCH: 'x' } })).toEqual([
      `a-x (${written[0]})`,
      `b-default (${written[1]})`,
    ]);
    expect(images(text, { platform: 'linux/amd64', target: 'x' })).toEqual([`a-amd64 (${written[0]})`]);
  });
});
