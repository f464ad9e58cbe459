/** What YAML text says: values as they are written, with their places. */
import type { Range } from './source.js';

/** build.yml needs 7. */
export const MAX_DEPTH = 64;

interface Properties {
  readonly range: Range;
  /** Without `&`. */
  readonly anchor?: string;
  /** In full, e.g. `tag:yaml.org,2002:str`. */
  readonly tag?: string;
}

export type YamlNode =
  /** `text`: escapes and folding resolved, without quotes. */
  | (Properties & { readonly kind: 'scalar'; readonly text: string; readonly style: 'plain' | 'other' })
  | (Properties & { readonly kind: 'seq'; readonly items: readonly YamlNode[] })
  | (Properties & { readonly kind: 'map'; readonly items: readonly YamlPair[] })
  | { readonly kind: 'alias'; readonly name: string; readonly range: Range };

export interface YamlPair {
  readonly key: YamlNode;
  readonly value: YamlNode | null;
}
