/** What a Dockerfile mounts, and ids that change with their secrets. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestSecretMounts, secretMounts, sshMounts } from '../../src/dockerfile/mounts.js';
import { redirect } from '../../src/dockerfile/rewrite.js';

/** A Dockerfile whose second line is a RUN with these flags. */
function file(flags: string): Buffer {
  return Buffer.from(`FROM a\nRUN ${flags} x\n`);
}

const DIGESTS = new Map([
  ['npm', 'f00'],
  ['a/b', 'ba5e'],
]);

function digested(flags: string): string {
  const content = file(flags);
  const { replacements } = digestSecretMounts(content, DIGESTS);
  return redirect(content, replacements).toString().slice('FROM a\nRUN '.length, -' x\n'.length);
}

describe('secret mounts', () => {
  it.each([
    ['--mount=type=secret,id=npm', 'npm'],
    ['--mount=id=npm,type=SECRET', 'npm'],
    ['--mount=type=secret,src=npm', 'npm'],
    ['--mount=type=secret,source=npm', 'npm'],
    ['--mount=type=secret,target=/root/.npmrc', '.npmrc'],
    ['--mount=type=secret,dst=/root/npm/', 'npm'],
    ['--mount=type=secret,id=,destination=npm', 'npm'],
    ['--mount=type=secret,id=one,ID=npm', 'npm'],
    ['--mount="type=secret,id=npm"', 'npm'],
    ['--mount=\'type=secret,"id=npm"\'', 'npm'],
    ['--mount=type=secret,id=n\\\npm', 'npm'],
    ['--mount=type=secret,id=na\u00efve', 'na\u00efve'],
    ['--mount=type=secret,id=$NAME', undefined],
    ['--network=none --mount=type=secret,id=npm', 'npm'],
  ])('of %j have the id that BuildKit asks for', (flags, id) => {
    expect(secretMounts(file(flags)).map((mount) => mount.id)).toEqual([id]);
  });

  it.each([
    '',
    '--mount=type=bind,id=npm',
    '--mount=id=npm',
    '--mount=type=ssh',
    '--mount=type=secret',
    '--mount=type=secret,env=NPM',
    '--mount=type=secret,id=\\"n',
    '-- --mount=type=secret,id=npm',
    'echo --mount=type=secret,id=npm',
  ])('are not found in %j', (flags) => {
    expect(secretMounts(file(flags))).toEqual([]);
  });

  it.each([
    ['', false],
    [',required', true],
    [',required=true', true],
    [',required=1', true],
    [',required=false', false],
    [',Required=T', true],
    [',required=true,required=false', false],
  ])('with %j are required: %s', (option, required) => {
    expect(secretMounts(file(`--mount=type=secret,id=npm${option}`))).toMatchObject([{ required }]);
    expect(sshMounts(file(`--mount=type=ssh${option}`))).toMatchObject([{ required }]);
  });

  it('tell their lines, also behind continuations, up to the target', () => {
    const content = Buffer.from(
      [
        '# one',
        'FROM a AS first',
        'RUN --mount=type=secret,id=two,env=TWO \\',
        '  # no',
        '  --mount=type=secret,id=three,target=/three \\',
        '  --mount=type=ssh,id=four x',
        'FROM b',
        'RUN --mount=type=secret,id=five x',
        'ONBUILD RUN --mount=type=secret,id=six x',
        '',
      ].join('\n'),
    );
    const told = (target?: string) =>
      secretMounts(content, target === undefined ? {} : { target }).map(
        ({ id, line, hasEnv, hasTarget }) => ({
          id,
          line,
          hasEnv,
          hasTarget,
        }),
      );
    const two = { id: 'two', line: 3, hasEnv: true, hasTarget: false };
    const three = { id: 'three', line: 5, hasEnv: false, hasTarget: true };
    expect(told()).toEqual([two, three, { id: 'five', line: 8, hasEnv: false, hasTarget: false }]);
    expect(told('FIRST')).toEqual([two, three]);
    expect(sshMounts(content)).toEqual([{ id: 'four', line: 6, required: false }]);
  });
});

describe('ssh mounts', () => {
  it.each([
    ['--mount=type=ssh', 'default'],
    ['--mount=type=ssh,id=', 'default'],
    ['--mount=type=ssh,id=deploy,target=/a', 'deploy'],
    ['--mount=type=ssh,id=${KEY}', undefined],
  ])('of %j have the id that BuildKit asks for', (flags, id) => {
    expect(sshMounts(file(flags)).map((mount) => mount.id)).toEqual([id]);
  });
});

describe('digests in the ids of secret mounts', () => {
  it.each([
    ['--mount=type=secret,id=npm', '--mount=type=secret,id=npm.f00,target=/run/secrets/npm'],
    ['--mount=type=secret,id=npm,uid=5', '--mount=type=secret,id=npm.f00,target=/run/secrets/npm,uid=5'],
    ['--mount=type=secret,id=a/b', '--mount=type=secret,id=a/b.ba5e,target=/run/secrets/b'],
    ['--mount=type=secret,id=npm,target=/x', '--mount=type=secret,id=npm.f00,target=/x'],
    ['--mount=type=secret,env=X,id=npm', '--mount=type=secret,env=X,id=npm.f00'],
    ['--mount=type=secret,src=npm,env=X,dst=/x', '--mount=type=secret,src=npm.f00,env=X,dst=/x'],
    ['--mount=type=secret,target=/x/npm', '--mount=type=secret,target=/x/npm,id=npm.f00'],
    ['--mount=type=secret,id=,target=/x/npm', '--mount=type=secret,id=,target=/x/npm,id=npm.f00'],
    ['--mount="type=secret,id=npm"', '--mount="type=secret,id=npm.f00,target=/run/secrets/npm"'],
    ['--mount=type=secret,id="npm"', '--mount=type=secret,id="npm.f00,target=/run/secrets/npm"'],
    ['--mount=\'type=secret,"id=npm"\'', '--mount=\'type=secret,"id=npm.f00",target=/run/secrets/npm\''],
    ['--mount=\'type=secret,"id=npm",env=X\'', '--mount=\'type=secret,"id=npm.f00",env=X\''],
    [
      '--mount=type=secret,id=n\\\npm,required',
      '--mount=type=secret,id=n\\\npm.f00,target=/run/secrets/npm,required',
    ],
    ['--mount=type=secret,id=npm \\\n', '--mount=type=secret,id=npm.f00,target=/run/secrets/npm \\\n'],
    ['--mount=type=secret,id=other', '--mount=type=secret,id=other'],
    ['--mount=type=secret,id="n\u00efpm"', '--mount=type=secret,id="n\u00efpm"'],
    ['--mount=type=secret,id=${X:-npm}', '--mount=type=secret,id=${X:-npm}'],
    ['--mount=type=ssh,id=npm', '--mount=type=ssh,id=npm'],
  ])('make %j %j', (before, after) => {
    expect(digested(before)).toBe(after);
  });

  it.each(['$X', 'n${X}m'])('are those of all secrets together where a variable decides: %s', (id) => {
    const content = file(`--mount=type=secret,id=${id}`);
    const { replacements, ids } = digestSecretMounts(content, DIGESTS);
    const changed = redirect(content, replacements).toString();
    const [, all = ''] = /\.([0-9a-f]{64}),/.exec(changed) ?? [];
    expect(changed).toBe(`FROM a\nRUN --mount=type=secret,id=${id}.${all},target=/run/secrets/${id} x\n`);
    expect([...ids]).toEqual([
      [`npm.${all}`, 'npm'],
      [`a/b.${all}`, 'a/b'],
    ]);
    const other = digestSecretMounts(content, new Map([...DIGESTS, ['npm', 'f01']]));
    expect(other.ids.has(`npm.${all}`)).toBe(false);
    const reordered = digestSecretMounts(content, new Map([...DIGESTS].reverse()));
    expect(new Map(reordered.ids)).toEqual(new Map(ids));
  });

  it('are told with what they stand for, and with what was inserted, longest first', () => {
    const content = Buffer.from(
      'FROM a\nRUN --mount=type=secret,id=npm,env=N x\nRUN --mount=type=secret,id=npm --mount=type=secret,id=a/b x\n',
    );
    const { ids, inserted } = digestSecretMounts(content, DIGESTS);
    expect(ids).toEqual(
      new Map([
        ['npm.f00', 'npm'],
        ['a/b.ba5e', 'a/b'],
      ]),
    );
    expect(inserted).toEqual(['.f00,target=/run/secrets/npm', '.ba5e,target=/run/secrets/b', '.f00']);
  });

  it('leave the places of files, required, the number of lines, and the text without what was inserted', () => {
    const option = fc.constantFrom(
      'uid=1',
      'mode=0400',
      'required',
      'target=/t',
      'env=E',
      'id=npm',
      'src=npm',
    );
    const quote = fc.constantFrom('', '"', "'");
    const mount = fc
      .tuple(fc.uniqueArray(option), quote)
      .map(([options, mark]) => `--mount=${mark}${['type=secret', ...options].join(',')}${mark}`);
    fc.assert(
      fc.property(fc.array(mount, { maxLength: 3 }), fc.constantFrom(' ', ' \\\n  '), (mounts, space) => {
        const content = file(mounts.join(space));
        const before = secretMounts(content);
        const { replacements, ids, inserted } = digestSecretMounts(content, DIGESTS);
        const changed = redirect(content, replacements);
        const after = secretMounts(changed);
        expect(after.map(({ id = '' }) => ids.get(id) ?? id)).toEqual(before.map(({ id }) => id));
        expect(after.map(({ line, required, hasEnv }) => ({ line, required, hasEnv }))).toEqual(
          before.map(({ line, required, hasEnv }) => ({ line, required, hasEnv })),
        );
        expect(after.every(({ hasTarget, hasEnv, id }) => id === 't' || hasTarget || hasEnv)).toBe(true);
        const restored = inserted.reduce((text, piece) => text.replaceAll(piece, ''), changed.toString());
        expect(restored).toBe(content.toString());
      }),
    );
  });
});
