/**
 * Draws what a terminal showed as an SVG of plain text, for light and dark pages: text with colours (SGR) comes in on
 * standard input, e.g. from `tmux capture-pane -e -p -J`, the picture goes to standard output.
 */

import { text } from 'node:stream/consumers';

const FONT = { size: 13, advance: 7.8, line: 19 };
const MARGIN = 18;

/** SGR parameter → what it changes. Others are left out. */
const SGR = new Map([
  ['0', { color: undefined, weight: undefined }],
  ['1', { weight: 'strong' }],
  ['2', { weight: 'quiet' }],
  ['22', { weight: undefined }],
  ['31', { color: 'red' }],
  ['32', { color: 'green' }],
  ['33', { color: 'yellow' }],
  ['36', { color: 'cyan' }],
  ['39', { color: undefined }],
]);

const SGR_SEQUENCE = new RegExp(`${String.fromCharCode(27)}\\[([\\d;]*)m`);

const STYLE = `
    .page { fill: #f6f8fa; stroke: #d0d7de } text { fill: #24292f }
    .quiet { fill: #6e7781 } .strong { font-weight: bold }
    .red { fill: #cf222e } .green { fill: #1a7f37 } .yellow { fill: #9a6700 } .cyan { fill: #0a6f85 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #161b22; stroke: #30363d } text { fill: #e6edf3 }
      .quiet { fill: #8b949e }
      .red { fill: #ff7b72 } .green { fill: #3fb950 } .yellow { fill: #d29922 } .cyan { fill: #39c5cf }
    }`;

const escape = (part) => part.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Lines of parts; a style goes on to the next line, as on a terminal. */
function read(input) {
  let style = {};
  return input.split('\n').map((line) => {
    const parts = [];
    for (const [index, part] of line.split(SGR_SEQUENCE).entries()) {
      if (index % 2 === 1) for (const code of part.split(';')) style = { ...style, ...SGR.get(code || '0') };
      else if (part !== '') parts.push({ part, classes: Object.values(style).filter(Boolean) });
    }
    return parts;
  });
}

function draw(lines) {
  const columns = Math.max(
    ...lines.map((parts) => parts.reduce((sum, { part }) => sum + [...part].length, 0)),
  );
  const width = Math.ceil(columns * FONT.advance + 2 * MARGIN);
  const height = lines.length * FONT.line + 2 * MARGIN;
  const rows = lines.flatMap((parts, row) => {
    let column = 0;
    return parts.flatMap(({ part, classes }) => {
      // A reader's software may drop spaces at either end.
      const at = column + part.length - part.trimStart().length;
      column += [...part].length;
      const shown = part.trim();
      if (shown === '') return [];
      const look = classes.length === 0 ? '' : ` class="${classes.join(' ')}"`;
      const x = (MARGIN + at * FONT.advance).toFixed(1);
      const y = MARGIN + (row + 1) * FONT.line - 6;
      // The length keeps columns in line, whatever font the reader has.
      const length = ([...shown].length * FONT.advance).toFixed(1);
      return [`  <text x="${x}" y="${y}" textLength="${length}"${look}>${escape(shown)}</text>`];
    });
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    `  font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT.size}"`,
    '  xml:space="preserve">',
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

process.stdout.write(draw(read((await text(process.stdin)).replace(/\n+$/, ''))));
