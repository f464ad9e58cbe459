import { describe, expect, it } from 'vitest';
import { usesContext } from '../../src/dockerfile/uses-context.js';

const uses = (text: string): boolean => usesContext(Buffer.from(`FROM base AS one\n${text}\n`));

describe('a build reads its context', () => {
  it.each([
    ['COPY . /app'],
    ['copy --chown=1:1 a b /app/'],
    ['COPY --from= a /a'],
    ['COPY --from="" a /a'],
    ['CO\\\nPY a /a'],
    ['COPY <<EOF a /b\nFROM the heredoc\nEOF'],
    ['ADD --chown=1:1 a.tar /'],
    ['ADD https://habitus.invalid/a /a'],
    ['RUN --mount=type=bind,target=/src make'],
    ['RUN \\\n  --mount=type=bind,target=/src \\\n  make'],
    ['RUN --network=none --mount=type=cache,target=/c make'],
    ['ONBUILD COPY . /app'],
    ['ONBUILD \\\n  RUN --mount=target=/src make'],
    ['COPY --from=one /a /a\nCOPY b /b'],
    ['RUN true # <<#x\nCOPY a /a\n#x'],
  ])('for %j', (text) => {
    expect(uses(text)).toBe(true);
  });

  it.each([
    [''],
    ['RUN echo COPY . /app'],
    ['RUN echo a && \\\n  COPY . /app'],
    ['RUN make --mount=x'],
    ['# COPY . /app'],
    ['LABEL add=1'],
    ['COPY --from=one /a /a'],
    ['COPY --chown=1:1 --from=habitus.invalid/image:1 /a /a'],
    ['COPY \\\n  --from=0 /a /a'],
    ['ONBUILD COPY --from=one /a /a'],
  ])('but not for %j', (text) => {
    expect(uses(text)).toBe(false);
  });
});
