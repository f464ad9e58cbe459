/** Who runs after whom: what a program leaves behind on disk and engine costs the one after it, and should not always cost the same. */

/**
 * The order of programs, round after round, without end: none ever follows itself, and each follows each other one about equally often.
 * @param count of programs: few, for all their orders are tried
 * @returns a generator of orders: each number below `count` once
 */
export function* orders(count) {
  const all = [...permutations([...Array(count).keys()])];
  const times = new Map();
  let last;
  for (;;) {
    const [best] = all
      .filter(([first]) => count < 2 || first !== last)
      .map((order) => ({ order, pairs: pairsOf([...(last === undefined ? [] : [last]), ...order]) }))
      .map((each) => ({ ...each, cost: sum(each.pairs.map((pair) => times.get(pair) ?? 0)) }))
      .sort((a, b) => a.cost - b.cost);
    for (const pair of best.pairs) times.set(pair, (times.get(pair) ?? 0) + 1);
    last = best.order.at(-1);
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

const pairsOf = (order) => order.slice(1).map((after, i) => `${order[i]} ${after}`);
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
