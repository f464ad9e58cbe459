/** What `npm run bench` is asked to do. */

const USAGE = 'npm run bench -- [--quick] [--case NAME]... [--without PEER]... [--runs N] [--out DIR]';

/**
 * Reads the arguments. `out` is where the page is written; absent: it is only printed, since a page of a quick run, or of a part of the
 * cases, would replace one that tells all.
 * @returns {{ quick: boolean, cases: string[], without: string[], runs: number | undefined, out: string | undefined }}
 * @throws Error whose message is the usage
 */
export function readOptions(args, { cases, peers, out }) {
  const options = { quick: false, cases: [], without: [], runs: undefined, out: undefined };
  const rest = [...args];
  while (rest.length > 0) {
    const flag = rest.shift();
    switch (flag) {
      case '--quick':
        options.quick = true;
        break;
      case '--case':
        options.cases.push(oneOf(cases, flag, rest.shift()));
        break;
      case '--without':
        options.without.push(oneOf(peers, flag, rest.shift()));
        break;
      case '--runs':
        options.runs = count(rest.shift());
        break;
      case '--out':
        options.out = rest.shift() ?? wrong('--out needs a folder');
        break;
      default:
        wrong(`"${flag}" is not a flag`);
    }
  }
  const all = !options.quick && options.cases.length + options.without.length === 0;
  if (all) options.out ??= out;
  return options;
}

function oneOf(known, flag, word) {
  return known.includes(word) ? word : wrong(`${flag} takes one of ${known.join(', ')}`);
}

function count(word) {
  return /^[1-9]\d?$/.test(word ?? '') ? Number(word) : wrong('--runs takes a number from 1 to 99');
}

function wrong(message) {
  throw new Error(`${message}\n  ${USAGE}`);
}
