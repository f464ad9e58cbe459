/** Searches a stream for secrets, also inside the containers in it. */
import type { Matcher } from './matcher.js';
import { ContentSink, type SearchContext, type Sink } from './search-content.js';
import { SEARCH_LIMITS, SearchReport, type SearchLimits, type SearchResult } from './search-report.js';
import { TarSink } from './search-tar.js';

export { SEARCH_LIMITS } from './search-report.js';
export type { Finding, SearchLimits, SearchResult, Unsearched } from './search-report.js';

export interface SearchOptions {
  /** Paths that all findings are said to be within. */
  readonly within?: readonly string[];
  readonly limits?: SearchLimits;
  /** `layer`: a tar archive, whatever it looks like, that does not count as one of the containers to be opened. */
  readonly as?: 'file' | 'layer';
}

/**
 * Looks at every byte, and inside gzip, zip (jar, wheel, …), tar, and zstd where Node.js can open it, in each other. What is
 * damaged, encrypted, packed otherwise, or larger than the limits is told in the result, and searched as it is.
 * Memory does not grow with the content.
 * @param content chunks are not kept
 * @throws the stream's error or the signal's reason
 */
export async function searchContent(
  content: AsyncIterable<Buffer>,
  matcher: Matcher,
  signal: AbortSignal,
  { within = [], limits = SEARCH_LIMITS, as = 'file' }: SearchOptions = {},
): Promise<SearchResult> {
  const report = new SearchReport(matcher, limits);
  const abandoned = new Set<() => void>();
  const context: SearchContext = {
    matcher,
    report,
    signal,
    onAbandon: (clean) => {
      abandoned.add(clean);
      return () => abandoned.delete(clean);
    },
  };
  const place = { within, depth: 0 };
  const sink: Sink = as === 'layer' ? new TarSink(place, context) : new ContentSink(place, context);
  try {
    for await (const chunk of content) {
      signal.throwIfAborted();
      report.read(chunk.length);
      await sink.write(chunk);
    }
    await sink.end();
  } finally {
    for (const clean of abandoned) clean();
  }
  return report.result();
}
