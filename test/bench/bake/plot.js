/** The benchmark's picture in SVG: each program's time by that of bake, on a logarithmic scale. A pure function of the results. */
import { compare, seconds, summarize } from './statistics.js';

const REFERENCE = 'bake';
const COLORS = { habitus: '#2563eb', compose: '#8b98a9', buildah: '#c08a3e' };
const LEFT = 330;
const WIDTH = 900;
const RIGHT = 100;
const TOP = 70;
const BAR = 11;
const GAP = 12;

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #24292f } .small { font-size: 10px } .line { stroke: #d0d7de }
.one { stroke: #24292f } .goal { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .line { stroke: #30363d } .one { stroke: #e6edf3 } }`;

/** @param cases as page.js's `builds`; those in which bake was not run are left out */
export function plot(cases) {
  const rows = cases.map(rowOf).filter(({ bars }) => bars.length > 0);
  const ratios = rows.flatMap(({ goal, bars }) => [goal, ...bars.map(({ ratio }) => ratio)]);
  const low = Math.floor(Math.log2(Math.min(0.5, ...ratios)));
  const high = Math.ceil(Math.log2(Math.max(2, ...ratios)));
  const x = (ratio) => LEFT + ((Math.log2(ratio) - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
  const parts = [];
  let y = TOP;
  for (const each of rows) {
    parts.push(...drawRow(each, x, y));
    y += each.bars.length * BAR + GAP;
  }
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 2 ** (low + i));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img">`,
    '<title>Time of each program, by that of bake</title>',
    `<style>${STYLE}</style>`,
    legend(),
    ...ticks.map((ratio) => drawTick(ratio, x(ratio), y)),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function rowOf({ title, goal, programs }) {
  const done = programs.filter(({ failed }) => failed === undefined);
  const bake = done.find(({ name }) => name === REFERENCE);
  const others = bake === undefined ? [] : done.filter(({ name }) => name !== REFERENCE);
  const bars = others.map(({ name, runs }) => ({
    name,
    ratio: compare(runs, bake.runs).ratio,
    wall: summarize(runs).wall,
  }));
  return { title, goal, bars };
}

function drawRow({ title, goal, bars }, x, top) {
  const middle = top + (bars.length * BAR) / 2 + 4;
  const label = `<text x="${LEFT - 12}" y="${middle}" text-anchor="end">${escape(title)}</text>`;
  const drawn = bars.flatMap(({ name, ratio, wall }, i) => {
    const y = top + i * BAR;
    const [from, to] = [x(1), x(ratio)].sort((a, b) => a - b);
    const told = `${ratio.toFixed(2)} · ${seconds(wall)} s`;
    return [
      `<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${BAR - 2}" fill="${COLORS[name]}"/>`,
      `<text class="small" x="${(to + 4).toFixed(1)}" y="${y + BAR - 3}">${told}</text>`,
    ];
  });
  const at = x(goal).toFixed(1);
  return [label, ...drawn, `<line class="goal" x1="${at}" x2="${at}" y1="${top - 2}" y2="${top + BAR}"/>`];
}

function drawTick(ratio, x, bottom) {
  const text = ratio < 1 ? `1/${1 / ratio}` : `${ratio}`;
  const kind = ratio === 1 ? 'one' : 'line';
  return [
    `<line class="${kind}" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${TOP - 8}" y2="${bottom}"/>`,
    `<text class="small" x="${x.toFixed(1)}" y="${TOP - 14}" text-anchor="middle">${text}</text>`,
  ].join('\n');
}

function legend() {
  const entries = Object.entries(COLORS).map(
    ([name, color], i) =>
      `<rect x="${LEFT + i * 90}" y="30" width="10" height="10" fill="${color}"/>` +
      `<text x="${LEFT + i * 90 + 15}" y="39">${name}</text>`,
  );
  const goal = LEFT + entries.length * 90;
  return [
    `<text x="${LEFT}" y="18">Time, by that of bake: left of 1 is faster</text>`,
    ...entries,
    `<line class="goal" x1="${goal}" x2="${goal}" y1="29" y2="41"/><text x="${goal + 8}" y="39">goal of Habitus</text>`,
  ].join('\n');
}

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
