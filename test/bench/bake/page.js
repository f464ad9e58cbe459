/** The benchmark's page in Markdown: a pure function of the results. */
import { compare, seconds, summarize } from './statistics.js';

/** Beyond start-up, of the smaller plan. */
const PLAN_GOAL = { count: 1000, seconds: 0.1 };
const START_GOAL = 1.5;
const MEMORY_GOAL = 150;
const OURS = 'habitus';
const REFERENCE = 'bake';

/**
 * @param results `machine` of machine.js with `engine` and `peers` (versions), `count` of rounds, and what was measured:
 *   `builds` (a case with `programs`: `{ name, runs }` or `{ name, failed }`), `plans` (`count`, `title`, `programs`: `name`, `idle`,
 *   `planned`), `startup` (`{ name, runs }`, the first one being Node.js itself)
 */
export function page(results) {
  return [
    intro(results),
    results.builds.length > 0 && builds(results.builds),
    results.plans.length > 0 && plans(results.plans),
    results.startup.length > 0 && startup(results.startup),
    measuredOn(results.machine),
  ]
    .filter((part) => part !== false)
    .join('\n');
}

function roundsOfClose(count, builds) {
  const numbers = [...new Set(builds.map(({ rounds }) => rounds))].filter((rounds) => rounds > count);
  if (numbers.length === 0) return '';
  const casesOf = (number) => builds.filter(({ rounds }) => rounds === number).map(({ title }) => title);
  const told = numbers.map((number) => `${number} rounds: ${casesOf(number).join('; ')}`);
  return `\nWhere a ratio is close to the goal there are more. ${told.join('. ')}.\n`;
}

function intro({ count, builds }) {
  return `# Habitus and its peers

\`npm run bench\` measures it and writes this page. In each case every program builds the same images from the same Dockerfiles in a
project folder of its own, on one engine; they run in turn, ${count} rounds after one that is not counted, and after each run the images
are looked into: a build that did not make what it should is not a fast one. Shown are medians, and in brackets the least and the
greatest value. A ratio is the median of those of single rounds: the machine is not as fast in all of them.
${roundsOfClose(count, builds)}
- CPU is what the client's processes used together. What the engine does for them is not in it (buildah has no engine: all of
  its work is).
- Peak memory is that of the largest process of the client, in the worst of the rounds.
- Habitus removes the images that lose their names to new ones, within its time; the peers leave them without a name. In the cold
  case there are none.
- Before each run disks and processors have done next to nothing for two seconds, so that no program pays for what another has left to
  do: a file system that is mounted with \`discard\` gives back the blocks of removed files for seconds after the removal, and from a
  second after bake's builds BuildKit writes down their traces. What the engine does after a program has ended is in no program's time.
  Nobody waits longer than a minute. ${unrested(builds)}
- The order changes from round to round, so that each program follows each other one about equally often, and is near it as often as
  the others.
- docker compose hands its builds to bake. buildah builds one image after the other, as its script says, with RUN in a chroot. Its store
  is on a file system of its own: it frees some 20,000 inodes with each context that it replaces, and on ext4 who makes many files in the
  next minutes passes one by one over such (\`recently_deleted\` in a profile of the kernel).
`;
}

function unrested(builds) {
  const runs = builds.flatMap(({ programs }) => programs.flatMap(({ runs: all = [] }) => all));
  const early = runs.filter(({ rested }) => rested === false).length;
  if (runs.length === 0) return '';
  return early === 0 ? 'All runs had that rest.' : `${early} of ${runs.length} runs began without that rest.`;
}

const row = (cells) => `| ${cells.join(' | ')} |`;
/** The first columns are words, the others numbers. */
const header = (words, numbers) => [
  row([...words, ...numbers]),
  row([...words.map(() => '---'), ...numbers.map(() => '--:')]),
];

function builds(cases) {
  const table = header(['Case'], ['Habitus', 'bake', 'Habitus / bake', 'goal', 'peak memory', 'goal met']);
  const every = header(['Case', 'Program'], ['time', 'of bake', 'CPU', 'peak memory']);
  for (const each of cases) {
    table.push(row(againstBake(each)));
    for (const program of each.programs)
      every.push(row([each.title, ...inAll(program, find(each, REFERENCE))]));
  }
  return `## Builds

${table.join('\n')}

The goals are ours; that of memory is ${MEMORY_GOAL} MB in every case. ${winners(cases)}

![Time of each program, by that of bake](bake.svg)

### All programs

${every.join('\n')}
`;
}

const find = ({ programs }, name) =>
  programs.find((program) => program.name === name && program.failed === undefined);

function againstBake(each) {
  const [ours, bake] = [find(each, OURS), find(each, REFERENCE)];
  const { megabytes, wall } = ours === undefined ? {} : summarize(ours.runs);
  const compared = ours && bake && compare(ours.runs, bake.runs);
  const met = compared && compared.ratio <= each.goal && megabytes <= MEMORY_GOAL;
  return [
    each.title,
    wall === undefined ? 'failed' : `${seconds(wall)} s`,
    bake === undefined ? 'not run' : `${seconds(summarize(bake.runs).wall)} s`,
    compared === undefined
      ? ''
      : `**${compared.ratio.toFixed(2)}** ${spread(compared, (value) => value.toFixed(2))}`,
    `≤ ${each.goal}`,
    megabytes === undefined ? '' : `${megabytes.toFixed(0)} MB`,
    compared === undefined ? '' : met ? 'yes' : 'no',
  ];
}

const spread = ({ least, most }, show) => `(${show(least)} – ${show(most)})`;

function inAll({ name, runs, failed }, bake) {
  if (failed !== undefined) return [name, `not run: ${oneLine(failed)}`, '', '', ''];
  const all = summarize(runs);
  return [
    name,
    `${seconds(all.wall)} s ${spread(all, seconds)}`,
    bake === undefined ? '' : compare(runs, bake.runs).ratio.toFixed(2),
    `${seconds(all.cpu)} s`,
    `${all.megabytes.toFixed(0)} MB`,
  ];
}

const oneLine = (text) => text.split('\n').at(-1).replaceAll('|', '\\|').slice(0, 200);

/** In words, that nobody has to search the table for it. */
function winners(cases) {
  const lost = cases.flatMap((each) => {
    const ours = find(each, OURS);
    const limit = ours === undefined ? Infinity : summarize(ours.runs).wall;
    const faster = each.programs
      .filter(({ runs = [] }) => summarize(runs).wall < limit)
      .map(({ name }) => name);
    return faster.length === 0 ? [] : [`${each.title} (${faster.join(', ')})`];
  });
  return lost.length === 0
    ? 'No peer was faster in any case.'
    : `Peers were faster than Habitus here: ${lost.join('; ')}.`;
}

function plans(all) {
  const table = header(['Steps', 'Program'], ['start-up', 'start-up and plan', 'plan', 'CPU', 'peak memory']);
  for (const { title, programs } of all) {
    for (const { name, idle, planned } of programs) {
      const failed = idle.failed ?? planned.failed;
      table.push(
        row([
          title,
          name,
          ...(failed === undefined ? planCells(idle, planned) : [`not run: ${oneLine(failed)}`]),
        ]),
      );
    }
  }
  return `## Planning

Reading and resolving a project, half of whose steps are based on another, and printing the plan: \`habitus --print\`,
\`docker buildx bake --print\`, \`docker compose config --quiet\`; start-up is the same program's \`--version\`. Habitus reads each step's
Dockerfile; the peers do so when they build. It also remembers the plan while no file that it was made of changes: the round that
is not counted reads them all. What takes longer than 20 s is measured once. ${planVerdict(all)}

${table.join('\n')}
`;
}

const planCost = ({ idle, planned }) => summarize(planned.runs).wall - summarize(idle.runs).wall;

function planCells(idle, planned) {
  const all = summarize(planned.runs);
  return [
    `${seconds(summarize(idle.runs).wall)} s`,
    `${seconds(all.wall)} s`,
    `**${seconds(planCost({ idle, planned }))} s**`,
    `${seconds(all.cpu)} s`,
    `${all.megabytes.toFixed(0)} MB`,
  ];
}

function planVerdict(all) {
  const costs = all.flatMap(({ count, programs }) => {
    const ours = programs.find(({ name, planned }) => name === OURS && planned.failed === undefined);
    return ours === undefined ? [] : [{ count, cost: planCost(ours) }];
  });
  const [less, more] = costs;
  if (more === undefined) return '';
  const goal = `The goal is ${PLAN_GOAL.seconds * 1000} ms for ${PLAN_GOAL.count.toLocaleString('en')} steps`;
  const growth = `${more.count / less.count} times the steps cost ${(more.cost / less.cost).toFixed(1)} times as much`;
  return `${goal}; ${growth}.`;
}

function startup(commands) {
  const [node] = commands;
  const table = header(['Command'], ['time', 'of Node.js', 'CPU', 'peak memory']);
  for (const { name, runs } of commands) {
    const all = summarize(runs);
    const ratio = compare(runs, node.runs).ratio.toFixed(2);
    const cells = [`${seconds(all.wall)} s ${spread(all, seconds)}`, ratio, `${seconds(all.cpu)} s`];
    table.push(row([`\`${name}\``, ...cells, `${all.megabytes.toFixed(0)} MB`]));
  }
  return `## Start-up

The goal is ${START_GOAL} times what Node.js needs to do nothing.

${table.join('\n')}
`;
}

function measuredOn({ processors, memory, system, node, habitus, engine, peers, date, load }) {
  const programs = [
    `Habitus ${habitus} on Node.js ${node}`,
    ...(engine === undefined ? [] : [`engine: ${engine}`]),
    ...(peers === undefined
      ? []
      : [
          `bake (docker-buildx) ${peers.bake}, docker-compose ${peers.compose} and their docker-cli ${peers.docker}, ` +
            `buildah ${peers.buildah}: packages of Debian testing`,
        ]),
  ];
  return `## Measured on

${processors}, ${memory}; ${system}; ${date}, system load ${load} at the beginning. ${programs.join('; ')}.
`;
}
