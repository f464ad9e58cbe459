/** `_env(NAME)` and `_env(NAME:-default)` in the texts of the build file. */

/** Where `_env()` looks: the process's variables, or only those of `--env` when at least one is given. */
export interface Environment {
  readonly source: 'process' | 'flags';
  readonly variables: ReadonlyMap<string, string>;
}

/** The rule of the command line: with at least one `--env K=V`, only those count. */
export function chooseEnvironment(
  flags: ReadonlyMap<string, string>,
  processVariables: Readonly<Record<string, string | undefined>>,
): Environment {
  if (flags.size > 0) return { source: 'flags', variables: flags };
  const variables = new Map<string, string>();
  for (const [name, value] of Object.entries(processVariables)) {
    if (value !== undefined) variables.set(name, value);
  }
  return { source: 'process', variables };
}

export interface Interpolated {
  readonly text: string;
  /** What could not be replaced, and stays in the text as it is. */
  readonly failures: readonly InterpolationFailure[];
}

export interface InterpolationFailure {
  /** As written, e.g. `_env(HOME)`. */
  readonly written: string;
  /** Counts all `_env(…)` of the text from 0. */
  readonly index: number;
  readonly message: string;
  readonly hint: string;
}

// Bounded, because many unclosed calls would otherwise each search to the end of the text.
const CALL = /_env\(([^)\n]{0,2000})\)/g;

/** Places of `_env(…)` in a text, as offsets; the n-th here is number n of {@link InterpolationFailure.index}. */
export function calls(text: string): readonly (readonly [start: number, end: number])[] {
  return Array.from(text.matchAll(CALL), (match) => [match.index, match.index + match[0].length] as const);
}

/**
 * Replace every `_env(…)`. Values are put in as they are and not searched again. As in a shell, the default of
 * `NAME:-default` also stands for a variable that is set but empty; it ends at the first `)`.
 */
export function interpolate(text: string, environment: Environment, allowUnset: boolean): Interpolated {
  const failures: InterpolationFailure[] = [];
  let index = -1;
  const replaced = text.replace(CALL, (written, inner: string) => {
    index += 1;
    const separator = inner.indexOf(':-');
    const name = (separator === -1 ? inner : inner.slice(0, separator)).trim();
    const fallback = separator === -1 ? undefined : inner.slice(separator + 2);
    const value = environment.variables.get(name);
    if (fallback !== undefined && (value === undefined || value === '') && name !== '') return fallback;
    if (value !== undefined) return value;
    if (name === '') {
      const hint = 'write _env(NAME), or _env(NAME:-default)';
      failures.push({ written, index, message: `"${written}" names no variable`, hint });
      return written;
    }
    if (allowUnset) return '';
    failures.push({ written, index, ...unset(name, environment) });
    return written;
  });
  return { text: replaced, failures };
}

function unset(name: string, { source }: Environment): { readonly message: string; readonly hint: string } {
  const otherwise = `give a default with _env(${name}:-default), or pass --allow-unset-env`;
  switch (source) {
    case 'process':
      return {
        message: `the environment variable ${name} is not set`,
        hint: `set it, ${otherwise}`,
      };
    case 'flags':
      return {
        message: `the variable ${name} is not among those given with --env`,
        hint: `add --env ${name}=VALUE (with --env, only the variables so given count), ${otherwise}`,
      };
  }
}
