/** The list form of `steps` in early files, turned into the mapping of today. */
import type { Problems } from './diagnostic.js';
import type { SourceText } from './source.js';
import type { ConfigNode, Entry } from './tree.js';

/**
 * `- builder: {…}`, or `- builder:` with the step's keys beside it in the same mapping, become `builder: {…}`. Order and
 * places stay. A tree without such a list comes back as it is.
 */
export function stepsByLabel(root: ConfigNode, source: SourceText, problems: Problems): ConfigNode {
  if (root.kind !== 'map') return root;
  const build = root.entries.get('build');
  if (build?.value.kind !== 'map') return root;
  const steps = build.value.entries.get('steps');
  if (steps?.value.kind !== 'list') return root;

  const labelled = new Map<string, Entry>();
  for (const item of steps.value.items) {
    const step = stepOf(item);
    if (step === undefined) {
      const range = item.kind === 'empty' ? steps.key : item.range;
      problems.add(
        source.error(
          'an item of "steps" must be a label with the keys of one step',
          range,
          'write "- label:" with the keys of the step below',
        ),
      );
      continue;
    }
    const [label, entry] = step;
    if (labelled.has(label)) {
      problems.add(
        source.error(`two steps have the label "${label}"`, entry.key, 'give one of them another label'),
      );
      continue;
    }
    labelled.set(label, entry);
  }
  const value: ConfigNode = { kind: 'map', entries: labelled, range: steps.value.range };
  return replaced(root, 'build', replaced(build.value, 'steps', value));
}

function stepOf(item: ConfigNode): readonly [string, Entry] | undefined {
  if (item.kind !== 'map') return undefined;
  const [first, ...beside] = item.entries;
  if (first === undefined) return undefined;
  const [label, entry] = first;
  if (beside.length === 0) return [label, entry];
  if (entry.value.kind !== 'empty') return undefined;
  return [label, { key: entry.key, value: { kind: 'map', entries: new Map(beside), range: item.range } }];
}

function replaced(
  map: Extract<ConfigNode, { readonly kind: 'map' }>,
  key: string,
  value: ConfigNode,
): Extract<ConfigNode, { readonly kind: 'map' }> {
  const entries = new Map(map.entries);
  const entry = entries.get(key);
  if (entry !== undefined) entries.set(key, { key: entry.key, value });
  return { ...map, entries };
}
