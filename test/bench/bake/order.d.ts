/** Types of order.js. */

export function orders(count: number): Generator<number[], never, undefined>;
