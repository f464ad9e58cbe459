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
  /** The variables that were looked for, one for each `_env(…)` that names one. */
  readonly variables: readonly string[];
  /** What could not be replaced, and stays in the text as it is. */
  readonly failures: readonly InterpolationFailure[];
}

export interface InterpolationFailure {
  /** Counts all `_env(…)` of the text from 0. */
  readonly index: number;
  readonly message: string;
  readonly hint: string;
}

const OPEN = '_env(';

/** Places of `_env(…)` in a text, as offsets; the n-th here is number n of {@link InterpolationFailure.index}. */
export function calls(text: string): readonly (readonly [start: number, end: number])[] {
  const found: (readonly [number, number])[] = [];
  // No regular expression: one would search to the end of the text for each call that is never closed.
  for (let end = 0; ;) {
    const start = text.indexOf(OPEN, end);
    const close = start === -1 ? -1 : text.indexOf(')', start);
    if (close === -1) return found;
    end = close + 1;
    found.push([start, end]);
  }
}

/**
 * Replace every `_env(…)`. Values are put in as they are and not searched again. As in a shell, the default of
 * `NAME:-default` also stands for a variable that is set but empty; it ends at the first `)`.
 * @param most code units: the text may be cut short once it is longer, so that a few bytes cannot become gigabytes
 */
export function interpolate(
  text: string,
  environment: Environment,
  allowUnset: boolean,
  most = Infinity,
): Interpolated {
  const failures: InterpolationFailure[] = [];
  const variables: string[] = [];
  const parts: string[] = [];
  let from = 0;
  let length = 0;
  const found = calls(text);
  found.forEach(([start, end], index) => {
    if (length > most) return;
    const call = partsOf(text.slice(start + OPEN.length, end - 1));
    if (call.name !== '') variables.push(call.name);
    const value = valueOf(call, environment, allowUnset);
    if (typeof value !== 'string') failures.push({ index, ...value });
    const put = typeof value === 'string' ? value : text.slice(start, end);
    parts.push(text.slice(from, start), put);
    length += start - from + put.length;
    from = end;
  });
  return { text: parts.join('') + text.slice(from), variables, failures };
}

interface Call {
  readonly inner: string;
  readonly name: string;
  readonly otherwise?: string;
}

function partsOf(inner: string): Call {
  const separator = inner.indexOf(':-');
  if (separator === -1) return { inner, name: inner.trim() };
  return { inner, name: inner.slice(0, separator).trim(), otherwise: inner.slice(separator + 2) };
}

function valueOf(
  { inner, name, otherwise }: Call,
  environment: Environment,
  allowUnset: boolean,
): string | Omit<InterpolationFailure, 'index'> {
  if (name === '') {
    return {
      message: `"_env(${inner})" names no variable`,
      hint: 'write _env(NAME), or _env(NAME:-default)',
    };
  }
  const value = environment.variables.get(name);
  if (otherwise !== undefined && (value === undefined || value === '')) return otherwise;
  return value ?? (allowUnset ? '' : unset(name, environment));
}

function unset(name: string, { source }: Environment): Omit<InterpolationFailure, 'index'> {
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
