/** How many calls of one purpose go to an engine at the same time: each takes a connection. */

/** Those that look, and those that name what is there. */
export const QUESTIONS_AT_ONCE = 8;
/** Those that engines do one after the other anyway. */
export const CHANGES_AT_ONCE = 4;
