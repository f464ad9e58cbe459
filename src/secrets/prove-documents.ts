/** Searches the documents of an image: its config, told by what it says, and all others. */
import { isObject } from '../image/documents.js';
import type { Needle } from './encodings.js';
import type { Match, Matcher } from './matcher.js';
import { maskText } from './search-mask.js';

/** Where in an image, outside its layers. Texts are masked. */
export type DocumentPlace =
  | { readonly kind: 'env'; readonly variable: string }
  | { readonly kind: 'label'; readonly label: string }
  /** `instruction` as the image's history tells it. */
  | { readonly kind: 'history'; readonly instruction: string }
  /** `key` as in JavaScript, e.g. `config.Cmd[2]`; empty: somewhere in its bytes. */
  | { readonly kind: 'config'; readonly key: string }
  | { readonly kind: 'name'; readonly name: string }
  /** Another document of the archive, e.g. BuildKit's provenance. */
  | { readonly kind: 'document'; readonly path: string };

export interface DocumentFinding {
  readonly secret: string;
  readonly encoding: string;
  readonly place: DocumentPlace;
}

/** The keys down to a value, its own last; linked, since hostile documents are deep. */
interface Path {
  readonly above: Path | undefined;
  readonly key: string | number;
}

interface Text {
  readonly path: Path | undefined;
  readonly text: string;
}

interface Found {
  readonly needle: Needle;
  readonly place: DocumentPlace;
}

/** Longer keys are of no use to anybody. */
const SHOWN = 200;

/** One finding for each secret, encoding and place. */
export class DocumentSearch {
  readonly #matcher: Matcher;
  readonly #findings = new Map<string, DocumentFinding>();
  /** Names of the secrets found so far. */
  readonly #known = new Set<string>();

  constructor(matcher: Matcher) {
    this.#matcher = matcher;
  }

  get findings(): readonly DocumentFinding[] {
    return [...this.#findings.values()];
  }

  name(name: string): void {
    for (const { needle } of this.#find(name)) this.#add(needle, { kind: 'name', name: this.#mask(name) });
  }

  /** Every string in it, keys too, and then its bytes for what no string shows. */
  config(bytes: Buffer): void {
    const config = parsed(bytes);
    const repeated: Found[] = [];
    for (const text of texts(config)) {
      for (const { needle } of this.#find(text.text)) {
        const place = this.#placeOf(text, config);
        // The classic builder's `container_config` repeats the config and the last instruction.
        if (place.kind === 'config' && place.key.startsWith('container_config'))
          repeated.push({ needle, place });
        else this.#add(needle, place);
      }
    }
    this.#addUnknown(repeated);
    const place = { kind: 'config', key: '' } as const;
    this.#addUnknown(this.#matcher.find(bytes).map(({ needle }) => ({ needle, place })));
  }

  /** To be called last: what was found elsewhere is not told again. */
  document(path: string, bytes: Buffer): void {
    const matches: Match[] = [...this.#matcher.find(bytes)];
    for (const { text } of texts(parsed(bytes))) matches.push(...this.#find(text));
    const place = { kind: 'document', path: this.#mask(path) } as const;
    this.#addUnknown(matches.map(({ needle }) => ({ needle, place })));
  }

  #find(text: string): readonly Match[] {
    return this.#matcher.find(Buffer.from(text));
  }

  #mask(text: string): string {
    return maskText(text, this.#matcher);
  }

  #add({ secret, encoding }: Needle, place: DocumentPlace): void {
    this.#known.add(secret);
    const key = JSON.stringify([secret, encoding, place]);
    if (!this.#findings.has(key)) this.#findings.set(key, { secret, encoding, place });
  }

  /** Only those of secrets that were not found anywhere before. */
  #addUnknown(found: readonly Found[]): void {
    const unknown = found.filter(({ needle }) => !this.#known.has(needle.secret));
    for (const { needle, place } of unknown) this.#add(needle, place);
  }

  #placeOf({ path, text }: Text, config: unknown): DocumentPlace {
    const keys = keysOf(path);
    const [first, second, third] = keys;
    if (first === 'history' && typeof second === 'number') {
      return { kind: 'history', instruction: this.#mask(instructionAt(config, second)) };
    }
    if (first === 'config') {
      if (second === 'Labels' && typeof third === 'string')
        return { kind: 'label', label: this.#mask(third) };
      if (second === 'Env') return { kind: 'env', variable: this.#mask(/^[^=]*/.exec(text)?.[0] ?? '') };
    }
    const key = keys.map((each) => (typeof each === 'number' ? `[${each}]` : `.${each}`)).join('');
    return { kind: 'config', key: this.#mask(key.replace(/^\./, '')).slice(0, SHOWN) };
  }
}

function instructionAt(config: unknown, index: number): string {
  const history: unknown = isObject(config) ? config['history'] : undefined;
  const entry: unknown = Array.isArray(history) ? history[index] : undefined;
  const createdBy = isObject(entry) ? entry['created_by'] : undefined;
  return typeof createdBy === 'string' ? createdBy : '';
}

/** `undefined` for what is not JSON. */
function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}

/** All strings of a JSON value, keys included; without recursion, since documents may be hostile. */
function* texts(root: unknown): Generator<Text> {
  const open: { readonly path: Path | undefined; readonly value: unknown }[] = [
    { path: undefined, value: root },
  ];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { path: above, value } = item;
    if (typeof value === 'string') yield { path: above, text: value };
    else if (Array.isArray(value)) {
      for (const [key, child] of value.entries()) open.push({ path: { above, key }, value: child });
    } else if (isObject(value)) {
      for (const [key, child] of Object.entries(value)) {
        const path = { above, key };
        yield { path, text: key };
        open.push({ path, value: child });
      }
    }
  }
}

function keysOf(path: Path | undefined): (string | number)[] {
  const keys: (string | number)[] = [];
  for (let at = path; at !== undefined; at = at.above) keys.push(at.key);
  return keys.reverse();
}

/** The instruction of each layer, base first, as the history tells it; `undefined` where it does not. */
export function instructionsOf(config: Buffer): readonly (string | undefined)[] {
  const value = parsed(config);
  const history: unknown = isObject(value) ? value['history'] : undefined;
  const entries = Array.isArray(history) ? history.filter(isObject) : [];
  return entries
    .filter((entry) => entry['empty_layer'] !== true)
    .map(({ created_by: text }) => (typeof text === 'string' ? text : undefined));
}
