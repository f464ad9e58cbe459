/** What an engine is asked to build, where a test does not care for most of it. */
import type { BuildRequest } from '../../src/core/ports.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';

/** Without a context, without network, on BuildKit unless it says otherwise. */
export function buildRequest(
  tag: string,
  lines: readonly string[],
  more: Partial<BuildRequest> = {},
): BuildRequest {
  return {
    builder: 'buildkit',
    context: memoryFolder(new Map()),
    contextKey: tag,
    dockerfile: Buffer.from([...lines, ''].join('\n')),
    tag,
    args: {},
    noCache: false,
    network: 'none',
    limits: {},
    removeContainers: true,
    secrets: new Map(),
    ssh: [],
    ...more,
  };
}
