/** Who runs after whom: what a program leaves on disk and engine costs those after it, and should not always cost the same one. */

/**
 * The order of programs, round after round, without end: none ever follows itself, each follows each other one about equally often, and,
 * as far as that allows, is the second after it, the third and so on about equally often.
 * @param count of programs: few, for all their orders are tried
 * @returns a generator of orders: each number below `count` once
 */
export function* orders(count) {
  const all = [...permutations([...Array(count).keys()])];
  const times = new Map();
  let last = [];
  for (;;) {
    const [best] = all
      .filter(([first]) => count < 2 || first !== last.at(-1))
      .map((order) => ({ order, pairs: pairsOf(last, order) }))
      .map((each) => ({
        ...each,
        cost: sum(each.pairs.map(({ name, weight }) => weight * (times.get(name) ?? 0))),
      }))
      .sort((a, b) => a.cost - b.cost);
    for (const { name } of best.pairs) times.set(name, (times.get(name) ?? 0) + 1);
    last = best.order;
    yield best.order;
  }
}

/** The first one is the order as it is. */
function* permutations(rest) {
  if (rest.length === 0) yield [];
  for (const first of rest) {
    for (const others of permutations(rest.filter((each) => each !== first))) yield [first, ...others];
  }
}

/** How much more it counts who is one place nearer. */
const NEARER = 4;

/** Who comes how far after whom, where the latter is of this round. */
function pairsOf(last, order) {
  const row = [...last, ...order];
  return order.flatMap((after, i) =>
    row
      .slice(Math.max(0, last.length + i - order.length + 1), last.length + i)
      .toReversed()
      .map((before, places) => ({ name: `${before} ${places} ${after}`, weight: NEARER ** -places })),
  );
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
