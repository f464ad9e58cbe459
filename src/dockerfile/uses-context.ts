/** Whether a build reads its context. */

const USES_CONTEXT = /^\s*(?:ONBUILD\s+)?(?:COPY|ADD|RUN\s[^\n]*--mount)\b/im;

/** Guessed with room to spare: a wrong yes only costs a walk. */
export function usesContext(dockerfile: Buffer): boolean {
  return USES_CONTEXT.test(dockerfile.toString('latin1'));
}
