/** The errors of this room: a Dockerfile that cannot be read as Docker reads it. */

/** `message` is one sentence without final period; `line` and `column` count from 1 (see `positionOf`). */
export class DockerfileSyntaxError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(message: string, position: { readonly line: number; readonly column: number }) {
    super(message);
    this.name = 'DockerfileSyntaxError';
    this.line = position.line;
    this.column = position.column;
  }
}

/** A word that the shell could not read either; whoever knows where it stands makes a DockerfileSyntaxError of it. */
export class LexError extends Error {}
