/** The texts by which a value may show in what people and programs read: for redaction, which may be generous. */
import { needlesOf } from './encodings.js';

/** Characters: shorter lines of a secret (`}`, `end`) are everybody's. */
const SHORTEST_LINE = 8;

/** Characters that are not the replacement character: fewer would tell one binary value from no other. */
const FEWEST_READABLE = 4;

/**
 * The value as it is, each of its lines, and its encodings; also of values that are too short for the proof.
 * @param value text, or bytes that need not be text
 */
export function textsOf(value: string | Buffer): readonly string[] {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const texts = [...asText(bytes), ...short(bytes)];
  for (const needle of needlesOf([{ name: '', value: bytes }]).needles) texts.push(...asText(needle.bytes));
  for (const text of asText(bytes)) {
    const lines = text.split(/\r\n|\r|\n/);
    if (lines.length === 1) continue;
    texts.push(...lines.map((line) => line.trim()).filter(isOwnLine));
  }
  return [...new Set(texts)];
}

/**
 * Bytes as lines of output show them: decoded as UTF-8, or one character a byte, as file names are here. Without line
 * breaks at either end, for lines have none.
 */
export function asText(bytes: Buffer): readonly string[] {
  const utf8 = bytes.toString('utf8').replaceAll(/^[\r\n]+|[\r\n]+$/g, '');
  const latin1 = bytes.toString('latin1').replaceAll(/^[\r\n]+|[\r\n]+$/g, '');
  const readable = utf8.replaceAll('\ufffd', '').length >= FEWEST_READABLE;
  return readable && utf8 !== latin1 ? [utf8, latin1] : [latin1];
}

/** Encodings of the whole value as the usual programs write them, whatever its length. */
function short(value: Buffer): readonly string[] {
  const text = value.toString('utf8').replace(/\r?\n$/, '');
  return [Buffer.from(text), value].flatMap((bytes) => [
    ...['base64', 'base64url', 'hex'].map((encoding) => bytes.toString(encoding as BufferEncoding)),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('hex').toUpperCase(),
    encodeURIComponent(text),
    JSON.stringify(text).slice(1, -1),
  ]);
}

/** Not the armour that all keys share. */
function isOwnLine(line: string): boolean {
  return line.length >= SHORTEST_LINE && !/^-----.*-----$/.test(line) && new Set(line).size > 1;
}
