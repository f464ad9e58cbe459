/** Which program reads a Dockerfile: BuildKit's own, or an image that it names. */

/** BuildKit takes this build arg for a syntax directive. */
const SYNTAX_ARG = 'BUILDKIT_SYNTAX';
const BOM = '\xef\xbb\xbf';

/**
 * As BuildKit finds it (frontend/dockerfile/parser/directives.go): in a build arg; or in the comments at the beginning, which may
 * begin with `//` too, or in a JSON object; behind a line with `#!`, if there is one.
 * @returns the image as it is named, or a line of JSON; `undefined` where BuildKit reads the Dockerfile by itself
 */
export function frontendOf(content: Buffer, args: Readonly<Record<string, string>> = {}): string | undefined {
  return args[SYNTAX_ARG] ?? syntaxOf(content);
}

function syntaxOf(content: Buffer): string | undefined {
  const lines = content
    .toString('latin1')
    .replace(BOM, '')
    .replace(/^#!.*(?:\n|$)/, '')
    .split('\n');
  if (lines[0]?.trimStart().startsWith('{') === true) return lines[0].trim();
  for (const line of lines) {
    const directive = /^\s*(?:#|\/\/)\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line);
    if (directive === null) return undefined;
    if (directive[1]?.toLowerCase() === 'syntax') return directive[2]?.split(/\s/)[0];
  }
  return undefined;
}
