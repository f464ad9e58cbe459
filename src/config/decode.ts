/** Bytes of a YAML file as text: UTF-8 or UTF-16 with a byte order mark; anything else is refused with its place. */
import type { Diagnostic } from './diagnostic.js';
import { SourceText } from './source.js';

export type Decoded = { readonly source: SourceText } | { readonly problem: Diagnostic };

// YAML 1.2 §5.1: these are not printable and may not occur in a file, except by an escape.
const FORBIDDEN = /(?![\t\n\r\u0085])\p{Cc}/u;

/** https://yaml.org/spec/1.2.2/#52-character-encodings, without UTF-32 and without guessing UTF-16 that has no mark. */
export function decode(file: string, bytes: Buffer): Decoded {
  const encoding = encodingOf(bytes);
  // ignoreBOM: false removes the mark, so that offsets and columns count from the first real character.
  const source = new SourceText(file, new TextDecoder(encoding, { ignoreBOM: false }).decode(bytes));
  const refuse = (what: string, at: number, hint: string): Decoded => ({
    problem: source.error(what, [at, at + 1], hint),
  });
  const at = source.text.search(FORBIDDEN);
  if (at === -1) {
    if (isWellFormed(bytes, encoding)) return { source };
    const wrong = Math.max(0, source.text.indexOf('\ufffd'));
    return refuse(`the file is not valid ${encoding.toUpperCase()} text`, wrong, 'save the file as UTF-8');
  }
  const code = source.text.charCodeAt(at);
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  const hint =
    code === 0
      ? 'save the file as UTF-8; it may be UTF-16 without a byte order mark, or no text at all'
      : `remove it, or write it as an escape in double quotes: "\\x${code.toString(16).padStart(2, '0')}"`;
  return refuse(`the control character ${name} may not stand in a YAML file`, at, hint);
}

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

function encodingOf(bytes: Buffer): Encoding {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return 'utf-8';
}

function isWellFormed(bytes: Buffer, encoding: Encoding): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
