/** The pattern forms of `${variable#…}`, `${variable%…}` and `${variable/…/…}`: `*` and `?`, no brackets. */
import { LexError } from './errors.js';

/** Ways to divide a value among the `*` of a pattern: a regular expression may try them all. */
const MOST_WAYS = 1e7;

function refuseSlow(pattern: string, value: string, anchored: boolean): void {
  const stars = pattern.replace(/\*+/g, '*').split('*').length - (anchored ? 1 : 0);
  let ways = 1;
  for (let star = 1; star <= stars && ways <= MOST_WAYS; star++) ways *= (value.length + star) / star;
  if (ways > MOST_WAYS) throw new LexError('the pattern has too many * for a value of this length');
}

function compile(pattern: string, value: string, greedy: boolean, anchored: boolean): RegExp {
  refuseSlow(pattern, value, anchored);
  let source = anchored ? '^' : '';
  const characters = Array.from(pattern.replace(/(?<!\\)\*+/g, '*'));
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? '';
    if (character === '*') source += greedy ? '[^\\n]*' : '[^\\n]*?';
    else if (character === '?') source += '[^\\n]';
    else if (character === '\\') {
      const escaped = characters[index + 1];
      // An escaped } or / only keeps the substitution from ending there.
      if (escaped === '}' || escaped === '/') continue;
      if (escaped !== '*' && escaped !== '?' && escaped !== '\\') {
        throw new LexError(`invalid escape \\${escaped ?? ''} in the pattern "${pattern}"`);
      }
      source += `\\${escaped}`;
      index++;
    } else source += character.replace(/[[\]{}.+()|^$/]/, '\\$&');
  }
  return new RegExp(source, 'u');
}

export function removePrefix(value: string, pattern: string, greedy: boolean): string {
  const match = compile(pattern, value, greedy, true).exec(value);
  return match === null ? value : value.slice(match[0].length);
}

/** Searched from the end, both sides reversed: a regular expression finds the leftmost match, not the shortest suffix. */
export function removeSuffix(value: string, pattern: string, greedy: boolean): string {
  const reversed = (pattern.match(/\\[^]|[^]/gu) ?? []).reverse().join('');
  const reverse = (text: string): string => Array.from(text).reverse().join('');
  return reverse(removePrefix(reverse(value), reversed, greedy));
}

export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
  const compiled = compile(pattern, value, true, false);
  return value.replace(all ? new RegExp(compiled.source, 'gu') : compiled, () => replacement);
}
