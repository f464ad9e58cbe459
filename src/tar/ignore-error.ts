/** What is wrong with a line of a `.dockerignore`. */

/** Docker refuses the pattern, or nobody can know what is meant; the message goes on from "the pattern X". */
export class InvalidPatternError extends Error {}

/** `message` is one sentence without final period. */
export class IgnoreSyntaxError extends Error {
  constructor(
    problem: string,
    /** From 1. */
    readonly line: number,
    /** As written, without the white space around it; empty where the line is not read at all. */
    readonly pattern: string,
  ) {
    super(problem);
    this.name = 'IgnoreSyntaxError';
  }
}
