/** Options from flags, of which most were not given. */

export type Given<T> = { -readonly [Key in keyof T]?: Exclude<T[Key], undefined | ''> };

/** Without what was not given. An empty text counts as that, as in `-uid=$ID` where ID is not set. */
export function given<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''),
  ) as Given<T>;
}
