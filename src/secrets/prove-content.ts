/** The proof of what leaves a build besides images: artifacts, and texts such as reports. */
import type { Artifact } from '../tar/artifact.js';
import type { ContextEntry } from '../tar/context.js';
import type { Needle } from './encodings.js';
import type { Matcher } from './matcher.js';
import { maskText } from './search-mask.js';
import { searchContent, type Finding, type SearchOptions, type SearchResult } from './search.js';

/**
 * Searches the names, link targets, extended attributes and contents of an artifact; the first path of a finding is relative
 * to the work directory.
 * @throws what reading the artifact throws, or the signal's reason
 */
export async function proveArtifact(
  artifact: Artifact,
  matcher: Matcher,
  signal: AbortSignal,
  options: Pick<SearchOptions, 'limits'> = {},
): Promise<SearchResult> {
  const results: SearchResult[] = [];
  for (const entry of artifact.entries) {
    const path = Buffer.from(entry.path, 'latin1').toString();
    const about = proveText(aboutEntry(entry), matcher);
    if (about.length > 0) {
      const within = [maskText(path, matcher)];
      results.push({
        findings: about.map((found) => ({ ...found, within, offset: 0 })),
        limits: [],
        bytes: 0,
      });
    }
    if (entry.type !== 'file') continue;
    const content = artifact.open(entry, signal);
    const result = await searchContent(content, matcher, signal, { ...options, within: [path] });
    results.push(result);
  }
  return {
    findings: unique(results.flatMap(({ findings }) => findings)),
    limits: results.flatMap(({ limits }) => limits),
    bytes: results.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** What of a text may not leave. @returns one for each secret and encoding */
export function proveText(
  text: Buffer | string,
  matcher: Matcher,
): readonly Pick<Finding, 'secret' | 'encoding'>[] {
  const needles = new Set<Needle>(matcher.find(Buffer.from(text)).map(({ needle }) => needle));
  return [...needles].map(({ secret, encoding }) => ({ secret, encoding }));
}

/** All but its content; NULs keep what is apart apart. */
function aboutEntry({ path, linkname = '', xattrs = new Map<string, string>() }: ContextEntry): Buffer {
  return Buffer.from([path, linkname, ...[...xattrs].flat()].join('\0'), 'latin1');
}

function unique(findings: readonly Finding[]): Finding[] {
  const key = ({ secret, encoding, within }: Finding) => JSON.stringify([secret, encoding, within]);
  return [...new Map(findings.map((finding) => [key(finding), finding] as const)).values()];
}
