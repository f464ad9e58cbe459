/** An instruction as sentences tell it: its first line, and not all of a long one. */

const LONGEST = 100;

export function shortInstruction(text: string): string {
  const line = text.replace(/\s*\\?\n[\s\S]*$/, ' …');
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}
