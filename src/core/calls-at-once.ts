/** How many calls of one purpose go to an engine at the same time: each takes a connection. */
export const CALLS_AT_ONCE = 8;
